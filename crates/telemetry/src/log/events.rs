//! Counts logged errors and warnings, whether or not the lines are written.

use std::sync::Arc;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;

use super::is_of_a_caller;
use crate::counter::Counter;

/// The number of logged errors and warnings.
#[derive(Debug, Default)]
pub(crate) struct Events {
    errors: Counter,
    warnings: Counter,
}

impl Events {
    pub(crate) fn errors(&self) -> u64 {
        self.errors.get()
    }

    pub(crate) fn warnings(&self) -> u64 {
        self.warnings.get()
    }

    /// The layer that counts them.
    pub(crate) fn layer<S>(self: &Arc<Self>) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
    {
        let of_ours =
            filter_fn(|about| !is_of_a_caller(about)).with_max_level_hint(LevelFilter::TRACE);
        Counting(Arc::clone(self)).with_filter(LevelFilter::WARN.and(of_ours))
    }
}

struct Counting(Arc<Events>);

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let counter = match *event.metadata().level() {
            Level::ERROR => &self.0.errors,
            Level::WARN => &self.0.warnings,
            _ => return,
        };
        counter.add(1);
    }
}
