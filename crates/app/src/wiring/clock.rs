//! [`Clock`]: the machine's.

use std::sync::Arc;

use adapter_memory::SystemClock;
use domain::Clock;

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
