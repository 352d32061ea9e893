//! Cached values and their source.

use std::hash::Hash;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

/// Loads the answers of one kind from a port. The layer that knows their format implements it.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Identifies an answer. Built from parsed values, so that the number of keys is bounded.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// A finished answer.
    type Value: Stored;

    /// The kind, as shared between nodes: ASCII letters, digits and `-`.
    fn kind(&self) -> &'static str;

    /// The name of a key within the kind, as shared between nodes: ASCII letters, digits and `-`.
    fn name(&self, key: &Self::Key) -> String;

    /// Loads and finishes an answer. On each node, one task per key calls it at a time; the source
    /// applies its own limits.
    ///
    /// # Errors
    /// [`PortError`] if the answer could not be determined. Absence is an answer.
    async fn load(&self, key: &Self::Key) -> Result<Loaded<Self::Value>, PortError>;
}

/// A finished answer that can be stored as bytes and shared with other nodes.
pub trait Stored: Send + Sync + Sized + 'static {
    /// Approximate total size in memory, in bytes.
    fn weight(&self) -> usize;

    /// Serializes the answer.
    fn to_bytes(&self) -> Bytes;

    /// Reads the output of [`to_bytes`](Self::to_bytes); `None` for anything else. The bytes come
    /// from outside, so the implementation validates them like any input.
    fn from_bytes(bytes: &Bytes) -> Option<Self>;
}

/// An answer of a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loaded<V> {
    /// The answer.
    pub value: V,
    /// How long to keep it.
    pub keep: Keep,
}

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// For the lifetime of answers.
    Found,
    /// For the lifetime of absences.
    Absent,
    /// Not at all: there are too many of its kind.
    Not,
}
