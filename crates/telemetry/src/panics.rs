//! Panics are logged and counted like any other failure.

use std::panic;
use std::sync::Arc;

use crate::counter::Counter;

/// Has every panic of this process logged, in one line, instead of printed; and counted. A message is repeated only if it is
/// written in the code: any other was made from values, and those may be secrets.
pub(crate) fn hear(counter: Arc<Counter>) {
    panic::set_hook(Box::new(move |panic| {
        counter.add(1);
        let said = panic.payload().downcast_ref::<&'static str>().copied();
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place,
            said,
            thread = std::thread::current().name(),
            "a panic: a mistake of ours"
        );
    }));
}
