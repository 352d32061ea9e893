//! The rules of [`ConcertCatalog`].

use std::sync::Arc;

use async_trait::async_trait;
use domain::concert::{ConcertCatalog, ConcertPage, PageNumber, PageRequest, PageSize};
use domain::sample_catalog::{self, SampleConcert, SampleSize};
use futures_util::future::BoxFuture;

use crate::schedule::noon;
use crate::{RuleResult, Violation, ensure, ensure_eq};

/// Opens concert catalogs.
#[async_trait]
pub trait CatalogFixture: Send + Sync {
    /// Opens a catalog of exactly these concerts.
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog>;
}

/// The macro behind [`concert_contract`](crate::concert_contract); calls back with the name of
/// every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_concert_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            lists_every_concert_once_in_ascending_order
            counts_all_concerts_on_every_page
            returns_an_empty_page_beyond_the_end
            returns_the_same_page_to_concurrent_readers
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! concert_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            if let Err(violation) = $crate::run_rule($crate::concert::$rule(&$fixture)) {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`ConcertCatalog`], on a [`CatalogFixture`].
#[macro_export]
macro_rules! concert_contract {
    ($fixture:expr) => {
        $crate::for_each_concert_rule! { concert_tests!($fixture) }
    };
}

/// A rule of this port.
pub type ConcertRule = for<'a> fn(&'a dyn CatalogFixture) -> BoxFuture<'a, RuleResult>;

#[doc(hidden)]
#[macro_export]
macro_rules! concert_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, ConcertRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_concert_rule! { concert_table!() }

async fn page(
    catalog: &dyn ConcertCatalog,
    number: u32,
    size: u32,
) -> Result<ConcertPage, Violation> {
    let request = PageRequest { number: PageNumber::new(number)?, size: PageSize::new(size)? };
    Ok(catalog.page(request).await?)
}

/// The pages together list each concert once, ordered by id, and each page but the last is full.
///
/// # Errors
/// The violation, if any.
pub async fn lists_every_concert_once_in_ascending_order(
    fixture: &dyn CatalogFixture,
) -> RuleResult {
    // The catalog gets them in reverse order.
    let mut sample: Vec<_> =
        sample_catalog::concerts(SampleSize::of_concerts(25), noon()).collect();
    let expected: Vec<_> = sample.iter().map(|entry| entry.concert.clone()).collect();
    sample.reverse();
    let catalog = fixture.open(sample).await;
    let mut seen = Vec::new();
    for (number, length) in [(1, 10), (2, 10), (3, 5)] {
        let page = page(catalog.as_ref(), number, 10).await?;
        ensure_eq(page.concerts.len(), length, "concerts on a page")?;
        ensure_eq(page.request.number.get(), number, "the page's number")?;
        seen.extend(page.concerts);
    }
    ensure_eq(seen, expected, "all pages together")
}

/// `total` is the number of all concerts, whatever the page number and size.
///
/// # Errors
/// The violation, if any.
pub async fn counts_all_concerts_on_every_page(fixture: &dyn CatalogFixture) -> RuleResult {
    let catalog =
        fixture.open(sample_catalog::concerts(SampleSize::of_concerts(25), noon()).collect()).await;
    for (number, size) in [(1, 10), (3, 10), (1, 1_000), (25, 1), (4, 10)] {
        ensure_eq(page(catalog.as_ref(), number, size).await?.total, 25, "the total")?;
    }
    let nothing = fixture.open(Vec::new()).await;
    let empty = page(nothing.as_ref(), 1, 10).await?;
    ensure(empty.total == 0 && empty.concerts.is_empty(), || {
        format!("an empty catalog lists {empty:?}")
    })
}

/// A page beyond the end is empty and not an error, up to the highest page number.
///
/// # Errors
/// The violation, if any.
pub async fn returns_an_empty_page_beyond_the_end(fixture: &dyn CatalogFixture) -> RuleResult {
    let catalog =
        fixture.open(sample_catalog::concerts(SampleSize::of_concerts(25), noon()).collect()).await;
    for number in [4, 1_000_000, u32::MAX] {
        let beyond = page(catalog.as_ref(), number, 1_000).await?;
        ensure(beyond.concerts.is_empty(), || {
            format!("page {number} lists {:?}", beyond.concerts)
        })?;
    }
    Ok(())
}

/// Concurrent reads return the same page.
///
/// # Errors
/// The violation, if any.
pub async fn returns_the_same_page_to_concurrent_readers(
    fixture: &dyn CatalogFixture,
) -> RuleResult {
    let catalog =
        fixture.open(sample_catalog::concerts(SampleSize::of_concerts(25), noon()).collect()).await;
    let expected = page(catalog.as_ref(), 2, 10).await?;
    let readers = (0..200).map(|_| {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move { page(catalog.as_ref(), 2, 10).await })
    });
    for reader in futures_util::future::join_all(readers).await {
        ensure_eq(reader??, expected.clone(), "a page that was read concurrently")?;
    }
    Ok(())
}
