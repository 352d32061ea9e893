//! An API on a ready world, of which a test replaces the parts it is about.

use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    Api, ConcertDates, ConcertPages, DateSource, JoinPuzzles, LoadShedder, OverloadSettings,
    PageSource,
};
use adapter_memory::MemoryWorld;
use adapter_token::{KeyRing, TokenKey};
use decorators::cache::{Cache, CacheSettings};
use domain::Clock;
use domain::concert::{ConcertCatalog, PageSize};
use domain::queue::{
    AdmissionPolicy, PollInterval, QueueId, QueueService, QueueServiceDeps, QueueStore, TokenSigner,
};
use domain::schedule::{ScheduleBook, ScheduleService};

/// The parts of an API.
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: AdmissionPolicy,
    pub(crate) poll_interval: PollInterval,
    pub(crate) token_ttl: Duration,
    pub(crate) store: Arc<dyn QueueStore>,
    pub(crate) signer: Arc<dyn TokenSigner>,
    pub(crate) catalog: Arc<dyn ConcertCatalog>,
    pub(crate) book: Arc<dyn ScheduleBook>,
    /// How long pages and dates may load, and what is kept of them.
    pub(crate) cache: CacheSettings,
    pub(crate) overload: LoadShedder,
    pub(crate) puzzles: JoinPuzzles,
}

impl Parts {
    /// Those of a world whose queue has this policy, with no limits and no puzzles.
    pub(crate) fn of(world: &MemoryWorld, policy: AdmissionPolicy) -> Self {
        Self {
            clock: Arc::clone(&world.clock) as _,
            policy,
            poll_interval: PollInterval::new(Duration::from_secs(1), Duration::from_secs(30))
                .unwrap(),
            token_ttl: Duration::MAX,
            store: Arc::clone(&world.queue) as _,
            signer: Arc::new(keys()),
            catalog: Arc::clone(&world.catalog) as _,
            book: Arc::clone(&world.catalog) as _,
            cache: CacheSettings::default(),
            overload: LoadShedder::new(&OverloadSettings::default()),
            puzzles: JoinPuzzles::off(),
        }
    }

    /// The queue alone.
    pub(crate) fn queue(&self) -> QueueService {
        QueueService::new(QueueServiceDeps {
            queue: QueueId::parse("main").unwrap(),
            policy: self.policy,
            poll_interval: self.poll_interval,
            token_ttl: self.token_ttl,
            stale_after: Duration::MAX,
            store: Arc::clone(&self.store),
            signer: Arc::clone(&self.signer),
            reserve: None,
            clock: Arc::clone(&self.clock),
        })
    }

    /// The API on these parts.
    pub(crate) fn api(self) -> Api {
        let queue = Arc::new(self.queue());
        self.api_of(queue)
    }

    /// The API on these parts, with a queue that [`queue`](Self::queue) made.
    pub(crate) fn api_of(self, queue: Arc<QueueService>) -> Api {
        let pages = PageSource::new(self.catalog, PageSize::new(10).unwrap());
        let dates = DateSource::new(Arc::new(ScheduleService::new(self.book, self.clock)));
        Api {
            queue,
            concerts: Arc::new(ConcertPages::new(Cache::new(pages, self.cache, None))),
            dates: Arc::new(ConcertDates::new(Cache::new(dates, self.cache, None))),
            overload: self.overload,
            puzzles: self.puzzles,
            documentation: false,
        }
    }
}

/// The key ring of the tests.
pub(crate) fn keys() -> KeyRing {
    KeyRing::new(vec![TokenKey::from_bytes(&[1; 32]).unwrap()]).unwrap()
}
