//! `[concerts]`: the concert list.

use domain::concert::PageSize;
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, invalid};

/// The concert list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct ConcertsSection {
    pub page_size: u32,
}

impl Default for ConcertsSection {
    fn default() -> Self {
        Self { page_size: 10 }
    }
}

impl ConcertsSection {
    pub(super) const KEYS: &[KeyDoc] = &[KeyDoc {
        name: "page_size",
        meaning: "concerts per page, 1 to 1000; pages are cached whole",
    }];

    /// The number of concerts per page.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn page_size(&self) -> Result<PageSize, ConfigError> {
        PageSize::new(self.page_size)
            .map_err(|_| invalid("concerts.page_size", "must be from 1 to 1000"))
    }
}
