//! Logs and counts panics like any other failure.

use std::panic;
use std::sync::Arc;

use crate::counter::Counter;

/// Installs a hook that logs every panic of this process in one line, instead of printing it, and
/// counts it. The message is logged only if it is a literal: a formatted message contains values,
/// which may be secrets.
pub(crate) fn count(counter: Arc<Counter>) {
    panic::set_hook(Box::new(move |panic| {
        counter.add(1);
        let said = panic.payload().downcast_ref::<&'static str>().copied();
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, said, thread = std::thread::current().name(), "panic");
    }));
}
