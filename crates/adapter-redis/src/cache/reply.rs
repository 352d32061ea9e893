//! Reads the answers of the scripts.

use std::time::Duration;

use bb8_redis::redis::{Value, from_redis_value};
use bytes::Bytes;
use decorators::cache::{CopyVersion, Kept, Unusable};

use super::entry::{self, Entry};
use super::failure::Failure;

/// The result of the look script.
pub(super) struct Looked {
    pub(super) at: CopyVersion,
    pub(super) is_leased: bool,
    pub(super) kept: Result<Option<Kept>, Unusable>,
    /// The checksum of a value that the script took for a fresh copy but that is not one.
    pub(super) distrusted: Option<Bytes>,
}

/// A stamp this far in the future dates from before the clock was set back; entry.lua has the same
/// value.
const FUTURE: u64 = 1_000_000;

/// Reads the answer of the look script; `read` decodes a value.
pub(super) fn read_lookup(
    answer: Value,
    read: impl FnOnce(Bytes) -> Result<Entry, Unusable>,
) -> Result<Looked, Failure> {
    let Value::Array(parts) = answer else { return Err(nonsense("a look is not a list")) };
    let parts: [Value; 5] = parts.try_into().map_err(|_| nonsense("a look has five parts"))?;
    let [
        Value::Int(now),
        Value::Int(leased),
        Value::Int(fresh),
        Value::Int(what),
        Value::BulkString(value),
    ] = parts
    else {
        return Err(nonsense("the parts of a look"));
    };
    let now = u64::try_from(now).map_err(|_| nonsense("the time is negative"))?;
    let value = Bytes::from(value);
    let found = match what {
        0 => Ok(None),
        1 => read(value.clone()).and_then(|entry| not_of_the_future(entry, now)).map(Some),
        2 => Err(Unusable::TooLarge),
        3 => Err(Unusable::Corrupt),
        _ => return Err(nonsense("what a look found")),
    };
    let at = match &found {
        Ok(Some(entry)) => now.max(entry.stamp.0 + 1),
        Ok(None) | Err(_) => now,
    };
    let distrusted =
        (fresh == 1 && found.is_err()).then(|| Bytes::copy_from_slice(entry::digest(&value)));
    let kept = found.map(|entry| {
        entry.map(|Entry { stamp, payload }| Kept {
            payload,
            age: Duration::from_micros(now.saturating_sub(stamp.0)),
        })
    });
    Ok(Looked { at: CopyVersion(at), is_leased: leased == 1, kept, distrusted })
}

fn not_of_the_future(entry: Entry, now: u64) -> Result<Entry, Unusable> {
    if entry.stamp.0 <= now + FUTURE { Ok(entry) } else { Err(Unusable::Corrupt) }
}

/// The stored value that made a put fail.
pub(super) fn stays(answer: Value) -> Result<Option<Bytes>, Failure> {
    let value: Option<Vec<u8>> =
        from_redis_value(answer).map_err(|_| nonsense("what stays after a put"))?;
    Ok(value.map(Bytes::from))
}

/// The time, and the stored invalidation; empty if there is none.
pub(super) fn invalidation(answer: Value) -> Result<(u64, Bytes), Failure> {
    let (now, written): (u64, Vec<u8>) =
        from_redis_value(answer).map_err(|_| nonsense("what is known of an invalidation"))?;
    Ok((now, written.into()))
}

fn nonsense(what: &str) -> Failure {
    Failure::Corrupt(what.to_owned())
}
