//! `[concerts]`: the concert list.

use adapter_http::PageCacheSettings;
use domain::concert::PageSize;
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, Span, invalid, require};

/// The concert list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct ConcertsSection {
    pub page_size: u32,
    pub page_ttl: Span,
    pub page_cache_bytes: u64,
}

impl Default for ConcertsSection {
    fn default() -> Self {
        // A page of ten takes about 1.3 KB, so all 1,000 pages of 10,000 concerts fit many times over.
        Self { page_size: 10, page_ttl: Span::secs(1), page_cache_bytes: 16 * 1024 * 1024 }
    }
}

impl ConcertsSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc { name: "page_size", meaning: "concerts on a page, 1 to 1000" },
        KeyDoc {
            name: "page_ttl",
            meaning: "how long a rendered page is answered without asking the catalogue again, 10ms to 1h",
        },
        KeyDoc { name: "page_cache_bytes", meaning: "bytes of rendered pages kept in memory, at most" },
    ];

    /// What the page cache is made with.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn settings(&self) -> Result<PageCacheSettings, ConfigError> {
        let page_size = PageSize::new(self.page_size)
            .map_err(|_| invalid("concerts.page_size", "must be from 1 to 1000"))?;
        let lasts = (Span::millis(10)..=Span::secs(3_600)).contains(&self.page_ttl);
        require(lasts, "concerts.page_ttl", "must be from 10ms to 1h")?;
        Ok(PageCacheSettings { page_size, ttl: self.page_ttl.0, max_bytes: self.page_cache_bytes })
    }
}
