//! A two-level cache for finished answers.

mod counts;
mod engine;
mod entry;
mod flight;
mod guarded;
mod local;
mod settings;
mod shared;
mod source;
mod store;

pub use counts::CacheCounts;
pub use engine::{Answer, AnyCache, Cache};
pub use settings::{CacheSettings, SharedSettings};
pub use source::{Keep, Loaded, Source, Stored};
pub use store::{CacheKey, CacheStore, Kept, Lease, LeaseId, Look, LookFor, Put, Stamp, Unusable};
