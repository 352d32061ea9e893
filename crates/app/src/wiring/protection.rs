//! What stands between the use cases and the adapters: one list of layers a port.

use std::sync::Arc;

use decorators::breaking::Breaking;
use decorators::bulkhead::Bulkhead;
use decorators::cache::CacheStore;
use decorators::guard::Stack;
use decorators::retry::Retry;
use decorators::time_limit::TimeLimit;
use domain::concert::ConcertCatalog;
use domain::queue::QueueStore;
use domain::schedule::ScheduleBook;

use super::Catalogue;
use crate::config::{BreakerSection, Config, LimitSection};

/// What is shared by the questions to one dependency, and what an operator may want to see.
pub(crate) struct Protection {
    limits: crate::config::LimitsSection,
    queue: Option<Arc<Breaking>>,
    catalog: Option<Arc<Breaking>>,
    cache: Option<Arc<Breaking>>,
    concerts: Option<Arc<Bulkhead>>,
    dates: Option<Arc<Bulkhead>>,
    retry: Option<Arc<Retry>>,
}
