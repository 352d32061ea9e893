//! Answers kept for a while, near those who ask.

mod store;

pub use store::{CacheKey, CacheStore, Kept, Lease, LeaseId, Look, LookFor, Put, Stamp, Unusable};
