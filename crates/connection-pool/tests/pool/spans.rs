//! The span of a call, which its log lines and traces carry.

use std::sync::{Arc, Mutex};

use connection_pool::{Call, Slot};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument as _, Metadata, Span, Subscriber, info_span};
use tracing_core::span::Current;

use crate::support::{Manager, SETTINGS, pool};

/// Tracks the spans that the one thread of a test is in.
#[derive(Clone, Default)]
struct Spans(Arc<Tracked>);

#[derive(Default)]
struct Tracked {
    /// A span's number is its position, counted from 1.
    made: Mutex<Vec<&'static Metadata<'static>>>,
    entered: Mutex<Vec<Id>>,
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut made = self.0.made.lock().unwrap();
        made.push(span.metadata());
        Id::from_u64(made.len().try_into().unwrap())
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        self.0.entered.lock().unwrap().push(span.clone());
    }

    fn exit(&self, _: &Id) {
        self.0.entered.lock().unwrap().pop();
    }

    fn current_span(&self) -> Current {
        let entered = self.0.entered.lock().unwrap();
        entered.last().map_or_else(Current::none, |id| {
            let index = usize::try_from(id.into_u64()).unwrap() - 1;
            Current::new(id.clone(), self.0.made.lock().unwrap()[index])
        })
    }
}

/// Returns the span it runs in.
struct AskSpan;

impl Call<Manager> for AskSpan {
    type Answer = Option<Id>;

    async fn run(self, _: &mut Slot<'_, Manager>) -> Option<Id> {
        Span::current().id()
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_in_the_span_of_its_caller() {
    let (pool, _) = pool(&SETTINGS);
    let _subscribed = tracing::subscriber::set_default(Spans::default());
    let span = info_span!("caller");
    let id = span.id();
    assert!(id.is_some(), "the subscriber sees it");
    assert_eq!(pool.run(AskSpan).instrument(span).await, Ok(id));
}
