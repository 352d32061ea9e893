//! Reads what scripts answer.

use domain::Timestamp;
use domain::queue::{Line, QueueNumber, Tally};
use fred::types::Value;

use crate::error::Failure;

/// The highest number a script can count to: Lua's numbers hold whole numbers up to here exactly.
pub(crate) const HIGHEST: u64 = (1 << 53) - 1;

/// The values of an answer, read one after the other.
pub(crate) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    pub(crate) fn new(value: Value) -> Result<Self, Failure> {
        let Value::Array(values) = value else { return Err(Failure::Corrupt("no list")) };
        Ok(Self(values.into_iter()))
    }

    pub(crate) fn integer(&mut self) -> Result<i64, Failure> {
        self.0.next().and_then(|value| value.as_i64()).ok_or(Failure::Corrupt("no whole number"))
    }

    pub(crate) fn count(&mut self) -> Result<u64, Failure> {
        self.integer()?.try_into().map_err(|_| Failure::Corrupt("a count below zero"))
    }

    pub(crate) fn text(&mut self) -> Result<String, Failure> {
        self.0.next().and_then(|value| value.as_string()).ok_or(Failure::Corrupt("no text"))
    }

    pub(crate) fn line(&mut self) -> Result<Line, Failure> {
        let (last, serving) = (self.count()?, self.count()?);
        if serving <= last {
            Ok(Line::new(last, serving))
        } else {
            Err(Failure::Corrupt("serving above last"))
        }
    }

    pub(crate) fn tally(&mut self) -> Result<Tally, Failure> {
        let (claimed, lapsed) = (self.count()?, self.count()?);
        Ok(Tally { claimed, lapsed, left: self.count()?, ended: self.count()? })
    }

    /// What is left, as texts.
    pub(crate) fn texts(self) -> Result<Vec<String>, Failure> {
        self.0.map(|value| value.as_string().ok_or(Failure::Corrupt("no text"))).collect()
    }
}

/// The values of a list; none of anything else.
pub(crate) fn array(value: &Value) -> &[Value] {
    if let Value::Array(values) = value { values } else { &[] }
}

pub(crate) fn timestamp(microseconds: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_microsecond(microseconds).map_err(|_| Failure::Corrupt("a time beyond time"))
}

pub(crate) fn number(value: i64) -> Result<QueueNumber, Failure> {
    let value = u64::try_from(value).ok().and_then(|value| QueueNumber::new(value).ok());
    value.ok_or(Failure::Corrupt("no queue number"))
}
