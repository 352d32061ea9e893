//! The fields of an entry, the same in both formats.

use std::borrow::Cow;

use adapter_postgres::{ImportDate, ImportEntry, ImportFault, ImportPosition};
use domain::Timestamp;
use domain::concert::{Concert, ConcertId};
use domain::schedule::{SaleWindow, ScheduleId};
use jiff::tz::Offset;

/// The most characters of a title or place: a page of a thousand concerts stays below a megabyte.
const MAX_TEXT: usize = 300;
/// The most seats of a date.
const MAX_SEATS: u32 = 100_000;
/// The years that the database accepts.
const YEARS: std::ops::Range<i16> = 1970..9999;

/// The text of a field, or why there is none.
pub(super) type Field<'a> = Result<Cow<'a, str>, &'static str>;

/// The fields of an entry.
pub(super) struct Fields<'a> {
    pub(super) concert_id: Field<'a>,
    pub(super) title: Field<'a>,
    pub(super) place: Field<'a>,
    pub(super) date: Option<DateFields<'a>>,
}

/// The fields of a date.
pub(super) struct DateFields<'a> {
    pub(super) schedule_id: Field<'a>,
    pub(super) performance_at: Field<'a>,
    pub(super) sale_opens_at: Field<'a>,
    pub(super) sale_closes_at: Field<'a>,
    pub(super) seats: Field<'a>,
}

/// The entry, or everything that is wrong with it.
pub(super) fn entry(
    at: ImportPosition,
    fields: Fields<'_>,
) -> Result<ImportEntry, Vec<ImportFault>> {
    let mut faults = Faults { at, found: Vec::new() };
    let concert = concert(&mut faults, fields.concert_id, fields.title, fields.place);
    let date = fields.date.map(|fields| date_of(&mut faults, fields));
    match (concert, date) {
        (Some(concert), None) => Ok(ImportEntry { at, concert, date: None }),
        (Some(concert), Some(Some(date))) => Ok(ImportEntry { at, concert, date: Some(date) }),
        _ => Err(faults.found),
    }
}

/// The date, or everything that is wrong with it.
pub(super) fn date(
    at: ImportPosition,
    fields: DateFields<'_>,
) -> Result<ImportDate, Vec<ImportFault>> {
    let mut faults = Faults { at, found: Vec::new() };
    date_of(&mut faults, fields).ok_or(faults.found)
}

fn concert(
    faults: &mut Faults,
    id: Field<'_>,
    title: Field<'_>,
    place: Field<'_>,
) -> Option<Concert> {
    let id = faults
        .take("concert_id", id, |text| ConcertId::parse(text).map_err(|error| error.to_string()));
    let title = faults.take("title", title, |text| {
        if text.is_empty() { Err("a concert needs a title".to_owned()) } else { readable(text) }
    });
    let place = faults.take("place", place, readable);
    Some(Concert { id: id?, title: title?, place: place? })
}

fn date_of(faults: &mut Faults, fields: DateFields<'_>) -> Option<ImportDate> {
    let id = faults.take("schedule_id", fields.schedule_id, |text| {
        ScheduleId::parse(text).map_err(|error| error.to_string())
    });
    let performance = faults.take("performance_at", fields.performance_at, time);
    let opens = faults.take("sale_opens_at", fields.sale_opens_at, time);
    let closes = faults.take("sale_closes_at", fields.sale_closes_at, time);
    let seats = faults.take("seats", fields.seats, seats);
    let sale = SaleWindow::new(opens?, closes?);
    let sale = sale.map_err(|error| faults.add("sale_closes_at", error.to_string())).ok();
    Some(ImportDate { id: id?, performance: performance?, sale: sale?, seats: seats? })
}

struct Faults {
    at: ImportPosition,
    found: Vec<ImportFault>,
}

impl Faults {
    fn take<T>(
        &mut self,
        name: &'static str,
        field: Field<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = field.map_err(str::to_owned).and_then(|text| parse(text.trim()));
        parsed.map_err(|what| self.add(name, what)).ok()
    }

    fn add(&mut self, name: &str, what: String) {
        self.found.push(ImportFault { at: self.at, field: Some(name.to_owned()), what });
    }
}

/// A text for people, which may have line breaks.
fn readable(text: &str) -> Result<String, String> {
    if text.chars().nth(MAX_TEXT).is_some() {
        return Err(format!("the text has more than {MAX_TEXT} characters"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r')) {
        return Err("the text has a control character".to_owned());
    }
    Ok(text.to_owned())
}

/// An instant. The database keeps microseconds.
fn time(text: &str) -> Result<Timestamp, String> {
    // Jiff would read a zone in brackets and ignore it.
    let parsed = text.parse::<Timestamp>().ok().filter(|_| !text.contains('['));
    let Some(time) = parsed else {
        let given = quoted(text);
        return Err(format!(
            "{given} is not a time with its offset from UTC, such as 2026-05-04T20:00:00+09:00"
        ));
    };
    if time.subsec_nanosecond() % 1_000 != 0 {
        return Err("a time has at most six digits after the second".to_owned());
    }
    if !YEARS.contains(&Offset::UTC.to_datetime(time).year()) {
        return Err(format!("the year must be from {} to {}", YEARS.start, YEARS.end - 1));
    }
    Ok(time)
}

fn seats(text: &str) -> Result<u32, String> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seats = text.parse().ok().filter(|seats| is_plain && *seats <= MAX_SEATS);
    seats.ok_or_else(|| format!("{} is not a number of seats, from 0 to {MAX_SEATS}", quoted(text)))
}

/// The text in quotes and in one line, shortened.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_debug())
}
