//! Attempts to connect: ended by a limit, and rare while they fail.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::{Instant, timeout};

use crate::error::ConnectError;

/// How long after a failed attempt the next one may start.
const PAUSE: Duration = Duration::from_millis(250);

/// A manager that keeps the limit itself can say what was slow. The pool ends an attempt only this
/// much later.
const GRACE: Duration = Duration::from_millis(100);

/// The attempts of a pool. Until one fails they run in parallel. Then one is made at a time, each a
/// pause after the last failure, until one succeeds.
pub(crate) struct Attempts<E> {
    limit: Duration,
    /// `None` if the last attempt succeeded.
    failure: watch::Sender<Option<Failure<E>>>,
    /// Held by the attempt that follows a failure.
    probe: Mutex<()>,
}

/// A failed attempt.
pub(crate) struct Failure<E> {
    at: Instant,
    pub(crate) why: ConnectError<E>,
}

impl<E> Failure<E> {
    /// When the next attempt may start.
    pub(crate) fn retry_at(&self) -> Instant {
        self.at + PAUSE
    }

    /// Whether it is too early for another attempt.
    pub(crate) fn is_recent(&self) -> bool {
        self.at.elapsed() < PAUSE
    }
}

impl<E: Clone> Attempts<E> {
    /// Attempts that end within this limit and a little.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit: limit.saturating_add(GRACE),
            failure: watch::Sender::new(None),
            probe: Mutex::new(()),
        }
    }

    /// The failure of the last attempt. Changes with each further failure, and with a success.
    pub(crate) fn failure(&self) -> watch::Receiver<Option<Failure<E>>> {
        self.failure.subscribe()
    }

    /// Makes an attempt, unless one has just failed.
    pub(crate) async fn run<C>(
        &self,
        attempt: impl Future<Output = Result<C, E>>,
    ) -> Result<C, ConnectError<E>> {
        let _probe = self.turn().await?;
        let outcome = AssertUnwindSafe(timeout(self.limit, attempt)).catch_unwind().await;
        let connected = match outcome {
            Ok(Ok(connected)) => connected.map_err(ConnectError::Failed),
            Ok(Err(_)) => Err(ConnectError::TimedOut),
            Err(_) => Err(ConnectError::Panicked),
        };
        let failure = connected.as_ref().err().cloned();
        self.record(failure.map(|why| Failure { at: Instant::now(), why }));
        connected
    }

    /// Waits for an attempt that follows a failure, and shares its outcome if it fails too.
    async fn turn(&self) -> Result<Option<MutexGuard<'_, ()>>, ConnectError<E>> {
        if self.failure.borrow().is_none() {
            return Ok(None);
        }
        let probe = self.probe.lock().await;
        match &*self.failure.borrow() {
            None => Ok(None),
            Some(failure) if failure.is_recent() => Err(failure.why.clone()),
            Some(_) => Ok(Some(probe)),
        }
    }

    fn record(&self, failure: Option<Failure<E>>) {
        self.failure.send_if_modified(|last| {
            let is_news = last.is_some() || failure.is_some();
            *last = failure;
            is_news
        });
    }
}
