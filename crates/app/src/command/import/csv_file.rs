//! Entries from CSV: a header, then one row for each date.

use std::collections::VecDeque;
use std::io::{Chain, Read as _};

use adapter_postgres::{ImportEntry, ImportFault, ImportPosition};
use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::fields::{self, DateFields, Field, Fields, quoted};
use super::file::Bytes;

/// The most bytes of a row.
pub(super) const MAX_ROW: usize = 64 * 1024;

/// The columns, in any order. Those of the date come last.
const COLUMNS: [&str; 8] = [
    "concert_id",
    "title",
    "place",
    "schedule_id",
    "performance_at",
    "sale_opens_at",
    "sale_closes_at",
    "seats",
];

/// Columns of the concert, which come first in [`COLUMNS`].
const OF_CONCERT: usize = 3;

pub(super) struct CsvEntries {
    rows: Reader<Chain<Bytes, &'static [u8]>>,
    record: ByteRecord,
    /// Where each of [`COLUMNS`] stands in a row, once the header was read.
    places: Option<[usize; COLUMNS.len()]>,
    pending: VecDeque<ImportFault>,
    is_over: bool,
}

impl CsvEntries {
    pub(super) fn read(bytes: Bytes) -> Self {
        let rows = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            // Fields are trimmed, which takes the other half of CRLF. If it were part of the
            // terminator, a row would begin on the line before it.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(8 * 1024)
            // The last row may have no line end.
            .from_reader(bytes.chain(&b"\n"[..]));
        let (record, pending) = (ByteRecord::new(), VecDeque::new());
        Self { rows, record, places: None, pending, is_over: false }
    }

    /// Reads a row that is not blank, and returns the line on which it begins.
    fn advance(&mut self) -> Result<Option<u64>, ImportFault> {
        loop {
            self.rows.get_mut().get_mut().0.begin_record();
            let before = self.rows.position().line();
            let is_there = self.rows.read_byte_record(&mut self.record).map_err(|error| {
                let what = if let csv::ErrorKind::Io(cause) = error.kind() {
                    cause.to_string()
                } else {
                    error.to_string()
                };
                fault(before, what)
            })?;
            if !is_there {
                return Ok(None);
            }
            // The reader skips empty lines, and counts them to the row after them.
            let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count();
            let taken = self.rows.position().line().saturating_sub(before);
            let skipped = taken.saturating_sub(1 + inside as u64);
            if self.record.iter().any(|field| !field.trim_ascii().is_empty()) {
                return Ok(Some(before + skipped));
            }
        }
    }

    fn next_row(&mut self) -> Result<Option<ImportEntry>, Vec<ImportFault>> {
        let places = match self.places {
            Some(places) => places,
            None => self.header()?,
        };
        self.places = Some(places);
        let Some(line) = self.advance().map_err(|fault| self.end(vec![fault]))? else {
            return Ok(None);
        };
        let width = self.record.len();
        if width != COLUMNS.len() {
            let what = format!("the row has {width} fields instead of {}", COLUMNS.len());
            return Err(vec![fault(line, what)]);
        }
        let at = ImportPosition { line, item: None };
        fields::entry(at, fields_of(places.map(|place| &self.record[place]))).map(Some)
    }

    fn header(&mut self) -> Result<[usize; COLUMNS.len()], Vec<ImportFault>> {
        let line = match self.advance() {
            Ok(Some(line)) => line,
            Ok(None) => return Err(self.end(vec![fault(1, "the file is empty".to_owned())])),
            Err(fault) => return Err(self.end(vec![fault])),
        };
        let names: Vec<_> =
            self.record.iter().map(|name| String::from_utf8_lossy(name.trim_ascii())).collect();
        let mut faults = Vec::new();
        for (place, name) in names.iter().enumerate() {
            if !COLUMNS.contains(&name.as_ref()) {
                faults.push(fault(line, format!("there is no column {}", quoted(name))));
            } else if names[..place].contains(name) {
                faults.push(fault(line, format!("the column {name} is there twice")));
            }
        }
        let places = COLUMNS.map(|column| names.iter().position(|name| name == column));
        for (column, place) in COLUMNS.iter().zip(places) {
            if place.is_none() {
                faults.push(fault(line, format!("the column {column} is missing")));
            }
        }
        if faults.is_empty() {
            Ok(places.map(Option::unwrap_or_default))
        } else {
            Err(self.end(faults))
        }
    }

    /// Nothing more can be read.
    fn end(&mut self, faults: Vec<ImportFault>) -> Vec<ImportFault> {
        self.is_over = true;
        faults
    }
}

impl Iterator for CsvEntries {
    type Item = Result<ImportEntry, ImportFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(fault) = self.pending.pop_front() {
            return Some(Err(fault));
        }
        if self.is_over {
            return None;
        }
        match self.next_row() {
            Ok(entry) => entry.map(Ok),
            Err(faults) => {
                self.pending.extend(faults);
                self.pending.pop_front().map(Err)
            }
        }
    }
}

/// A row without any field of a date is a concert without a date.
fn fields_of(fields: [&[u8]; COLUMNS.len()]) -> Fields<'_> {
    let has_date = fields[OF_CONCERT..].iter().any(|field| !field.trim_ascii().is_empty());
    let [concert_id, title, place, schedule_id, performance_at, opens, closes, seats] =
        fields.map(text);
    let date = DateFields {
        schedule_id,
        performance_at,
        sale_opens_at: opens,
        sale_closes_at: closes,
        seats,
    };
    Fields { concert_id, title, place, date: has_date.then_some(date) }
}

fn text(field: &[u8]) -> Field<'_> {
    std::str::from_utf8(field).map(Into::into).map_err(|_| "the text is not UTF-8")
}

fn fault(line: u64, what: String) -> ImportFault {
    ImportFault { at: ImportPosition { line, item: None }, field: None, what }
}
