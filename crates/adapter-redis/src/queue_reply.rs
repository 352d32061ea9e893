//! Reads the answers of the scripts.

use std::time::Duration;

use domain::queue::{
    Change, Incarnation, Incarnations, Occupancy, OutcomeCounts, QueueCounters, QueueNumber,
    QueueTime, UserId, VacantNumbers,
};
use fred::types::Value;

use crate::error::Failure;

/// The values of an answer, read in order.
pub(crate) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    pub(crate) fn new(value: Value) -> Result<Self, Failure> {
        let Value::Array(values) = value else { return Err(Failure::Corrupt("not a list")) };
        Ok(Self(values.into_iter()))
    }

    pub(crate) fn integer(&mut self) -> Result<i64, Failure> {
        self.0.next().and_then(|value| value.as_i64()).ok_or(Failure::Corrupt("not an integer"))
    }

    pub(crate) fn count(&mut self) -> Result<u64, Failure> {
        self.integer()?.try_into().map_err(|_| Failure::Corrupt("a count below zero"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Failure> {
        Ok(self.integer()? == 1)
    }

    pub(crate) fn text(&mut self) -> Result<String, Failure> {
        self.0.next().and_then(|value| value.as_string()).ok_or(Failure::Corrupt("not a text"))
    }

    pub(crate) fn time(&mut self) -> Result<QueueTime, Failure> {
        self.count().map(QueueTime::from_micros)
    }

    pub(crate) fn counters(&mut self) -> Result<QueueCounters, Failure> {
        let (last, serving) = (self.count()?, self.count()?);
        if serving <= last {
            Ok(QueueCounters::new(last, serving))
        } else {
            Err(Failure::Corrupt("serving above last"))
        }
    }

    /// The incarnations of the queue, as `life,life`.
    pub(crate) fn incarnations(&mut self) -> Result<Incarnations, Failure> {
        const BAD: Failure = Failure::Corrupt("not an incarnation");
        let text = self.text()?;
        let lives = text.split(',').filter(|life| !life.is_empty());
        let lives = lives
            .map(|life| life.parse().ok().and_then(|life| Incarnation::new(life).ok()).ok_or(BAD));
        Ok(Incarnations::of(lives.collect::<Result<Vec<_>, _>>()?))
    }

    pub(crate) fn outcomes(&mut self) -> Result<OutcomeCounts, Failure> {
        let joined = self.count()?;
        let (claimed, lapsed) = (self.count()?, self.count()?);
        Ok(OutcomeCounts { joined, claimed, lapsed, left: self.count()?, ended: self.count()? })
    }

    /// How slots are used: the turnover, then the steps of session ends.
    pub(crate) fn occupancy(&mut self, open_calls: u64) -> Result<Occupancy, Failure> {
        let (freed, held) = (self.count()?, self.count()?);
        let steps = self.count()?;
        let mut ends = Vec::new();
        for _ in 0..steps {
            ends.push((Duration::from_micros(self.count()?), self.count()?));
        }
        let (freed, held_seconds) = (freed as f64 / 1_000.0, held as f64 / 1_000_000.0);
        Ok(Occupancy { ends, open_calls, freed, held_seconds })
    }

    /// The remaining values, as changes. `None` if some are missing or one is not a change that a
    /// step can have written: then the node fetches the whole state.
    pub(crate) fn changes(self) -> Result<Option<Vec<Change>>, Failure> {
        let mut changes = Vec::new();
        for value in self.0 {
            let bytes = value.as_bytes().ok_or(Failure::Corrupt("not a change"))?;
            if bytes == b"gap" {
                return Ok(None);
            }
            let Ok(change) = change(bytes) else { return Ok(None) };
            changes.push(change);
        }
        Ok(Some(changes))
    }

    /// Reads a page of vacant numbers into `whole`: ranges, and the numbers in them that are not
    /// vacant. Returns the last number of the page if another page may follow.
    pub(crate) fn vacant(mut self, whole: &mut VacantPage) -> Result<Option<u64>, Failure> {
        let (ranges, found, page) = (self.count()?, self.count()?, self.count()?);
        whole.ranges.clear();
        for _ in 0..ranges {
            let range = self.text()?;
            let (from, to) = range.split_once(':').ok_or(BAD)?;
            whole.ranges.push((whole_number(from)?, whole_number(to)?));
        }
        whole.found.clear();
        for _ in 0..found {
            whole.found.push(whole_number(&self.text()?)?);
        }
        let before = whole.abandoned.len();
        for value in self.0 {
            whole.abandoned.push(whole_number(&value.as_string().ok_or(BAD)?)?);
        }
        let is_full = (whole.abandoned.len() - before) as u64 == page;
        Ok(whole.abandoned.last().copied().filter(|_| is_full))
    }

    /// The remaining values, as numbers.
    pub(crate) fn numbers(self, into: &mut Vec<u64>) -> Result<(), Failure> {
        for value in self.0 {
            into.push(whole_number(&value.as_string().ok_or(BAD)?)?);
        }
        Ok(())
    }

    /// The remaining values, as sessions: number, user and end.
    pub(crate) fn sessions(self, into: &mut Vec<(u64, UserId, QueueTime)>) -> Result<(), Failure> {
        for value in self.0 {
            let bytes = value.as_bytes().ok_or(BAD)?;
            let eight = |at: usize| {
                let part = bytes.get(at..at + 8).and_then(|part| part.try_into().ok());
                part.map(u64::from_be_bytes).ok_or(BAD)
            };
            let user = UserId::new(eight(16)?).map_err(|_| BAD)?;
            into.push((eight(0)?, user, QueueTime::from_micros(eight(8)?)));
        }
        Ok(())
    }
}

/// Vacant numbers, collected page by page.
#[derive(Debug, Default)]
pub(crate) struct VacantPage {
    ranges: Vec<(u64, u64)>,
    found: Vec<u64>,
    abandoned: Vec<u64>,
}

impl VacantPage {
    pub(crate) fn into_numbers(self) -> VacantNumbers {
        let mut vacant = VacantNumbers::of(self.abandoned);
        for (from, to) in self.ranges {
            vacant.insert_range(from, to);
        }
        for number in self.found {
            vacant.remove(number);
        }
        vacant
    }
}

const BAD: Failure = Failure::Corrupt("not a change");

fn whole_number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| BAD)
}

/// Reads `c:number:end:` with the user's eight bytes, `r:number`, `a:number`, `s:from:to` or
/// `f:number`.
fn change(bytes: &[u8]) -> Result<Change, Failure> {
    let mut parts = bytes.splitn(4, |byte| *byte == b':');
    let kind = parts.next().unwrap_or_default();
    let mut number = || {
        let part = parts.next().and_then(|part| std::str::from_utf8(part).ok()).ok_or(BAD)?;
        whole_number(part)
    };
    let first = number()?;
    match kind {
        b"a" if first > 0 => Ok(Change::Abandoned(first)),
        b"r" if first > 0 => Ok(Change::Released(first)),
        b"f" if first > 0 => Ok(Change::Found(first)),
        b"s" => Ok(Change::Skipped { from: first, to: number()? }),
        b"c" if first > 0 => {
            let until = QueueTime::from_micros(number()?);
            let user = parts.next().and_then(user_in).ok_or(BAD)?;
            Ok(Change::Claimed { number: first, user, until })
        }
        _ => Err(BAD),
    }
}

/// A user in the form scripts store.
pub(crate) fn bytes_of(user: UserId) -> [u8; 8] {
    user.get().to_be_bytes()
}

fn user_in(bytes: &[u8]) -> Option<UserId> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    UserId::new(u64::from_be_bytes(bytes)).ok()
}

/// The values of a list; empty for any other value.
pub(crate) fn array(value: &Value) -> &[Value] {
    if let Value::Array(values) = value { values } else { &[] }
}

pub(crate) fn number(value: i64) -> Result<QueueNumber, Failure> {
    let value = u64::try_from(value).ok().and_then(|value| QueueNumber::new(value).ok());
    value.ok_or(Failure::Corrupt("not a queue number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_and_invalid_ones_are_refused() {
        assert_eq!(change(b"r:12").unwrap(), Change::Released(12));
        assert_eq!(change(b"a:12").unwrap(), Change::Abandoned(12));
        assert_eq!(change(b"f:12").unwrap(), Change::Found(12));
        assert_eq!(change(b"s:0:12").unwrap(), Change::Skipped { from: 0, to: 12 });
        // A user whose bytes look like the separators.
        let user = UserId::new(u64::from_be_bytes(*b"::::::::")).unwrap();
        let until = QueueTime::from_micros(2_000);
        let claimed = Change::Claimed { number: 12, user, until };
        assert_eq!(change(b"c:12:2000:::::::::").unwrap(), claimed);
        let bad: [&[u8]; 10] = [
            b"",
            b"x:1",
            b"r:",
            b"r:0",
            b"r:-1",
            b"s:1",
            b"c:1:2",
            b"c:1:x:\0\0\0\0\0\0\0\x07",
            b"c:1:2:\x07",
            b"c:1:2:\0\0\0\0\0\0\0\0",
        ];
        for bad in bad {
            assert!(change(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sessions_are_number_end_and_user() {
        let read = |bytes: &[u8]| {
            let mut sessions = Vec::new();
            let reply =
                Reply::new(Value::Array(vec![Value::Bytes(bytes.to_vec().into())])).unwrap();
            reply.sessions(&mut sessions).map(|()| sessions)
        };
        let packed = [3_u64, 1_500, 7].map(u64::to_be_bytes).concat();
        let session = (3, UserId::new(7).unwrap(), QueueTime::from_micros(1_500));
        assert_eq!(read(&packed).unwrap(), [session]);
        for bad in [&packed[..23], &[3_u64, 1_500, 0].map(u64::to_be_bytes).concat()] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn vacant_numbers_come_in_pages() {
        let page = |parts: &[&str]| {
            let counts = [Value::Integer(1), Value::Integer(1), Value::Integer(2)];
            let parts = parts.iter().map(|part| Value::from(*part));
            Reply::new(Value::Array(counts.into_iter().chain(parts).collect())).unwrap()
        };
        let mut whole = VacantPage::default();
        assert_eq!(page(&["100:200", "150", "3", "7"]).vacant(&mut whole).unwrap(), Some(7));
        assert_eq!(page(&["100:200", "151", "9"]).vacant(&mut whole).unwrap(), None);
        let vacant = whole.into_numbers();
        assert_eq!(vacant.singles().collect::<Vec<_>>(), [3, 7, 9]);
        assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(100, 150), (151, 200)]);
    }
}
