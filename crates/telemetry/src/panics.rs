//! Panics are logged and counted like any other failure.

use std::panic;
use std::sync::Arc;

use crate::counter::Counter;

/// Has every panic of this process logged, in one line, instead of printed; and counted.
pub(crate) fn hear() -> Arc<Counter> {
    let heard = Arc::new(Counter::default());
    let counter = Arc::clone(&heard);
    panic::set_hook(Box::new(move |panic| {
        counter.add(1);
        let said = panic.payload_as_str().unwrap_or_default();
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, said, thread = std::thread::current().name(), "a panic: a mistake of ours");
    }));
    heard
}
