//! [`ConcertCatalog`] and [`ScheduleBook`]: by `catalog.store`. Two ports in one file because one store answers both.

use std::sync::Arc;

use adapter_memory::MemoryCatalogue;
use domain::Clock;
use domain::concert::ConcertCatalog;
use domain::schedule::ScheduleBook;

use crate::config::{CatalogSection, CatalogStore};

pub(crate) struct Catalogue {
    pub(crate) concerts: Arc<dyn ConcertCatalog>,
    pub(crate) schedules: Arc<dyn ScheduleBook>,
}

pub(crate) fn catalogue(section: &CatalogSection, clock: &dyn Clock) -> Catalogue {
    match section.store {
        CatalogStore::Memory => {
            let sample = Arc::new(MemoryCatalogue::sample(section.sample_concerts, clock.now()));
            Catalogue { concerts: Arc::clone(&sample) as Arc<dyn ConcertCatalog>, schedules: sample }
        }
    }
}
