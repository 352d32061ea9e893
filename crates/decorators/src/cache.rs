//! A two-level cache for finished answers.

mod counts;
mod engine;
mod entry;
mod first_level;
mod guarded_store;
mod second_level;
mod settings;
mod single_flight;
mod source;
mod store;

pub use counts::CacheCounts;
pub use engine::{Answer, AnyCache, Cache};
pub use settings::{CacheSettings, SharedSettings};
pub use source::{Keep, Loaded, Source, Stored};
pub use store::{
    CacheKey, CacheStore, CopyVersion, Kept, Lease, LeaseId, Lookup, LookupRequest, PutOutcome,
    Unusable,
};
