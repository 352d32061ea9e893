//! Reads the record of the clients.

use std::collections::HashMap;
use std::io::BufRead;

use test_support::{Doing, Outcome, failed};

use super::request_and_response::{Exchange, Quoted, Written};

/// How many malformed lines are quoted.
const TOLD: usize = 5;

/// All records of a run.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) records: Vec<Exchange>,
    /// Kinds of clients and problem codes; the first is empty.
    words: Words,
    /// Lines that are not meant to be records.
    pub(super) other_lines: u64,
    /// Lines that are meant to be records but cannot be read.
    pub(super) malformed: u64,
    pub(super) malformed_lines: Vec<String>,
}

#[derive(Debug)]
struct Words {
    all: Vec<String>,
    places: HashMap<String, u16>,
}

impl Default for Words {
    fn default() -> Self {
        Self { all: vec![String::new()], places: HashMap::from([(String::new(), 0)]) }
    }
}

impl Words {
    fn place(&mut self, word: &str) -> Outcome<u16> {
        if let Some(&place) = self.places.get(word) {
            return Ok(place);
        }
        let place =
            u16::try_from(self.all.len()).map_err(|_| failed("too many kinds and codes"))?;
        self.all.push(word.to_owned());
        self.places.insert(word.to_owned(), place);
        Ok(place)
    }
}

impl History {
    /// Reads line by line without keeping the text.
    pub(super) fn read(mut reader: impl BufRead) -> Outcome<Self> {
        let (mut history, mut line, mut nth) = (Self::default(), Vec::new(), 0_u64);
        while reader.read_until(b'\n', &mut line).doing("reading the record")? > 0 {
            nth += 1;
            history.take(&line, nth)?;
            line.clear();
        }
        Ok(history)
    }

    fn take(&mut self, line: &[u8], nth: u64) -> Outcome {
        if line.first() != Some(&b'{') {
            self.other_lines += 1;
            return Ok(());
        }
        let written: Written<'_> = match serde_json::from_slice(line) {
            Ok(written) => written,
            Err(error) => {
                self.malform(format!("line {nth}: {error}"));
                return Ok(());
            }
        };
        let kind = self.words.place(&written.kind)?;
        let code = self.words.place(written.code.as_deref().unwrap_or_default())?;
        match written.record(kind, code) {
            Ok(record) => self.records.push(record),
            Err(lack) => self.malform(format!("line {nth}: {lack}")),
        }
        Ok(())
    }

    fn malform(&mut self, why: String) {
        self.malformed += 1;
        if self.malformed_lines.len() < TOLD {
            self.malformed_lines.push(why);
        }
    }

    /// Whether the client was a person, not a hostile client.
    pub(super) fn is_person(&self, record: &Exchange) -> bool {
        self.word(record.kind) == "person"
    }

    /// A kind of client or a problem code.
    pub(super) fn word(&self, place: u16) -> &str {
        self.words.all.get(usize::from(place)).map_or("", String::as_str)
    }

    pub(super) fn quote<'a>(&'a self, record: &'a Exchange) -> Quoted<'a> {
        Quoted { record, words: &self.words.all }
    }
}
