//! `[catalog]`: where concerts and dates come from.

use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, require};

/// The store of the catalog.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CatalogStore {
    /// This process, filled with sample data.
    #[default]
    Memory,
    /// A database.
    Postgres,
}

/// Where concerts and dates come from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct CatalogSection {
    pub store: CatalogStore,
    pub sample_concerts: u32,
}

impl Default for CatalogSection {
    fn default() -> Self {
        Self { store: CatalogStore::default(), sample_concerts: 10_000 }
    }
}

impl CatalogSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "store",
            meaning: "store of the catalog: `memory`, or `postgres` at `postgres.url`",
        },
        KeyDoc {
            name: "sample_concerts",
            meaning: "number of sample concerts in the memory store, 0 to 1000000; the load scripts need 451",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        require(
            self.sample_concerts <= 1_000_000,
            "catalog.sample_concerts",
            "must be at most 1000000",
        )
    }
}
