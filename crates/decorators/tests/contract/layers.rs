//! The layers under test.

use std::sync::Arc;
use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings};
use decorators::breaker_layer::CircuitBreakerLayer;
use decorators::bulkhead::{Bulkhead, BulkheadSettings};
use decorators::layer::Layerable;
use decorators::layer_stack::LayerStack;
use decorators::queue::QueueBreakers;
use decorators::retry::{Retry, RetrySettings};
use decorators::timeout::Timeout;
use decorators::wait_queue::WaitLimits;
use domain::Dependency;
use domain::queue::QueueStore;

/// Puts layers around a port.
pub(crate) trait Layers: Send + Sync + 'static {
    fn around<P: Layerable + ?Sized>(port: Arc<P>) -> Arc<P>;
}

/// The breakers of a queue around its store.
pub(crate) fn in_queue_breakers(store: Arc<dyn QueueStore>) -> Arc<dyn QueueStore> {
    let breaker = || Some(Arc::new(breaking()));
    LayerStack::on(store)
        .with_breakers(QueueBreakers { joining: breaker(), places: breaker() })
        .port()
}

const LONG: Duration = Duration::from_secs(30);

fn bulkhead() -> Bulkhead {
    // Narrow, so that contract rules with many concurrent calls queue in it.
    let settings = BulkheadSettings {
        concurrent: 4,
        waiting: WaitLimits { max_waiting: 10_000, max_wait: LONG },
    };
    Bulkhead::new(Dependency::named("test"), settings)
}

fn time_limit() -> Timeout {
    Timeout::new(Dependency::named("test"), LONG)
}

fn retry() -> Retry {
    Retry::new(RetrySettings { attempts: 3, pause: Duration::from_millis(1), budget: 0.1 })
}

fn breaking() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(
        Dependency::named("test"),
        Breaker::new(BreakerSettings::default(), 1).unwrap(),
    )
}

macro_rules! layers {
    ($($name:ident: $($layer:ident)*;)*) => {
        $(pub(crate) struct $name;

        impl Layers for $name {
            fn around<P: Layerable + ?Sized>(port: Arc<P>) -> Arc<P> {
                LayerStack::on(port)$(.with(Some($layer())))*.port()
            }
        })*
    };
}

layers! {
    InBulkhead: bulkhead;
    InTimeLimit: time_limit;
    InBreaker: breaking;
    InRetry: retry;
    InAll: bulkhead time_limit breaking retry;
}
