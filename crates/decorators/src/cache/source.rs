//! What is kept, and where it comes from.

use std::hash::Hash;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

/// Where the answers of one kind come from. Implemented by whoever knows their form; what it asks is a port.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Names an answer; parsed values, so that their number is bounded.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// A finished answer.
    type Value: Stored;

    /// The kind, as other nodes know it: ASCII letters, digits and `-`.
    fn kind(&self) -> &'static str;

    /// The name of a key within the kind, as other nodes know it: ASCII letters, digits and `-`.
    fn name(&self, key: &Self::Key) -> String;

    /// Asks for an answer and finishes it. Called by one task a key at a time on this node; its limits are its own.
    ///
    /// # Errors
    /// [`PortError`] when it could not be found out. Absence is an answer.
    async fn load(&self, key: &Self::Key) -> Result<Loaded<Self::Value>, PortError>;
}

/// A finished answer, which can be kept as bytes where other nodes find it.
pub trait Stored: Send + Sync + Sized + 'static {
    /// About how many bytes it takes in memory, all told.
    fn weight(&self) -> usize;

    /// Writes it.
    fn to_bytes(&self) -> Bytes;

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else. What is read comes from outside and is
    /// checked like any input.
    fn from_bytes(bytes: &Bytes) -> Option<Self>;
}

/// What a source answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loaded<V> {
    /// The answer.
    pub value: V,
    /// How it is to be kept.
    pub keep: Keep,
}

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// As long as answers are.
    Found,
    /// As long as it is remembered that something is not there.
    Absent,
    /// Not at all: there are too many of its kind.
    Not,
}
