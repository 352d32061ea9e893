//! Which node is meant.

/// A node of the service, for the lifetime of its process.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u64);
