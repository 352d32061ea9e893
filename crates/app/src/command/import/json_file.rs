//! Entries from JSON: an array of concerts, each with its dates.
//!
//! A concert is cut out of the array before it is parsed, so that one concert at a time is in
//! memory, and the ones after a faulty one are still checked.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};

use adapter_postgres::{ImportEntry, ImportFault, ImportPosition};
use serde::Deserialize;
use serde_json::Value;

use super::fields::{self, DateFields, Field, Fields};
use super::file::Bytes;

/// The most bytes of a concert with its dates: about five thousand dates.
pub(super) const MAX_CONCERT: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a concert")]
struct ConcertBody {
    concert_id: Value,
    title: Value,
    place: Value,
    dates: Vec<DateBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a date")]
struct DateBody {
    schedule_id: Value,
    performance_at: Value,
    sale_opens_at: Value,
    sale_closes_at: Value,
    seats: Value,
}

pub(super) struct JsonEntries {
    bytes: Bytes,
    line: u64,
    next: Expected,
    pending: VecDeque<Result<ImportEntry, ImportFault>>,
}

/// What comes next in the array.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Expected {
    Array,
    ConcertOrEnd,
    Concert,
    CommaOrEnd,
    EndOfFile,
    Nothing,
}

impl JsonEntries {
    pub(super) fn read(bytes: Bytes) -> Self {
        Self { bytes, line: 1, next: Expected::Array, pending: VecDeque::new() }
    }

    /// Reads one token of the array.
    fn advance(&mut self) -> Result<(), String> {
        self.bytes.begin_record();
        let byte = self.skip_space().map_err(|error| error.to_string())?;
        self.next = match (self.next, byte) {
            (Expected::Array, None) => return Err("the file is empty".to_owned()),
            (Expected::Array, Some(b'[')) => {
                self.take();
                Expected::ConcertOrEnd
            }
            (Expected::ConcertOrEnd | Expected::Concert, Some(b'{')) => {
                self.concert()?;
                Expected::CommaOrEnd
            }
            (Expected::CommaOrEnd, Some(b',')) => {
                self.take();
                Expected::Concert
            }
            (Expected::ConcertOrEnd | Expected::CommaOrEnd, Some(b']')) => {
                self.take();
                Expected::EndOfFile
            }
            (Expected::EndOfFile, None) => Expected::Nothing,
            (Expected::Array, _) => return Err("an array of concerts is expected".to_owned()),
            (Expected::Concert, Some(b']')) => {
                return Err("a concert is expected after the comma".to_owned());
            }
            (Expected::EndOfFile, _) => {
                return Err("there is more after the end of the array".to_owned());
            }
            (_, None) => return Err("the array is not closed".to_owned()),
            (Expected::CommaOrEnd, _) => return Err("a comma or ] is expected".to_owned()),
            _ => return Err("a concert is expected".to_owned()),
        };
        Ok(())
    }

    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.bytes.fill_buf()?.first().copied() {
                Some(byte) if byte.is_ascii_whitespace() => {
                    self.line += u64::from(byte == b'\n');
                    self.take();
                    // Space belongs to no entry.
                    self.bytes.begin_record();
                }
                other => return Ok(other),
            }
        }
    }

    fn take(&mut self) {
        self.bytes.consume(1);
    }

    /// Cuts out the object that begins here, and parses it.
    fn concert(&mut self) -> Result<(), String> {
        let begins = self.line;
        let object = self.object();
        if object.is_err() {
            // Where the bracket or quote is open is unknown.
            self.line = begins;
        }
        match serde_json::from_slice(&object?) {
            Ok(concert) => self.pending.extend(entries(begins, concert)),
            Err(error) => {
                let at = ImportPosition {
                    line: begins + (error.line() as u64).saturating_sub(1),
                    item: None,
                };
                self.pending.push_back(Err(ImportFault { at, field: None, what: what(&error) }));
            }
        }
        Ok(())
    }

    /// The bytes up to the brace that closes this object.
    fn object(&mut self) -> Result<Vec<u8>, String> {
        let (mut text, mut depth, mut quote) = (Vec::new(), 0_u32, Quote::Outside);
        loop {
            let available = self.bytes.fill_buf().map_err(|error| error.to_string())?;
            if available.is_empty() {
                return Err("the last concert is not closed".to_owned());
            }
            let mut used = 0;
            for byte in available {
                used += 1;
                self.line += u64::from(*byte == b'\n');
                quote = quote.after(*byte);
                match (quote, byte) {
                    (Quote::Outside, b'{') => depth += 1,
                    (Quote::Outside, b'}') => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            text.extend_from_slice(&available[..used]);
            self.bytes.consume(used);
            if depth == 0 {
                return Ok(text);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Quote {
    Outside,
    Inside,
    Escaped,
}

impl Quote {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Inside, b'\\') => Self::Escaped,
            (Self::Outside, b'"') | (Self::Escaped, _) => Self::Inside,
            (Self::Inside, b'"') => Self::Outside,
            (same, _) => same,
        }
    }
}

impl Iterator for JsonEntries {
    type Item = Result<ImportEntry, ImportFault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.is_empty() && self.next != Expected::Nothing {
            if let Err(what) = self.advance() {
                self.next = Expected::Nothing;
                let at = ImportPosition { line: self.line, item: None };
                self.pending.push_back(Err(ImportFault { at, field: None, what }));
            }
        }
        self.pending.pop_front()
    }
}

/// Serde's message without its position, which is relative to the concert.
fn what(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).map_or_else(|| text.clone(), str::to_owned)
}

fn entries(line: u64, concert: ConcertBody) -> Vec<Result<ImportEntry, ImportFault>> {
    let ConcertBody { concert_id, title, place, dates } = concert;
    let at = ImportPosition { line, item: None };
    let fields = Fields {
        concert_id: number(&concert_id),
        title: text(&title),
        place: text(&place),
        date: None,
    };
    // Its own faults are reported once, not with each date.
    let ImportEntry { concert, .. } = match fields::entry(at, fields) {
        Ok(entry) if dates.is_empty() => return vec![Ok(entry)],
        Ok(entry) => entry,
        Err(faults) => return faults.into_iter().map(Err).collect(),
    };
    let date = |(item, date)| {
        let at = ImportPosition { line, item: Some(item) };
        match fields::date(at, fields_of(date)) {
            Ok(date) => vec![Ok(ImportEntry { at, concert: concert.clone(), date: Some(date) })],
            Err(faults) => faults.into_iter().map(Err).collect(),
        }
    };
    (0..).zip(&dates).flat_map(date).collect()
}

fn fields_of(date: &DateBody) -> DateFields<'_> {
    DateFields {
        schedule_id: number(&date.schedule_id),
        performance_at: text(&date.performance_at),
        sale_opens_at: text(&date.sale_opens_at),
        sale_closes_at: text(&date.sale_closes_at),
        seats: number(&date.seats),
    }
}

fn number(value: &Value) -> Field<'_> {
    let Value::Number(number) = value else { return Err("a number is expected") };
    Ok(number.to_string().into())
}

fn text(value: &Value) -> Field<'_> {
    value.as_str().map(Into::into).ok_or("a text is expected")
}
