//! What the process tells about itself and its machine.

#[cfg(target_os = "linux")]
mod linux;

use crate::metrics::Meters;

/// Has every metric of [`catalogue::process`](crate::metrics::catalogue::process) read whenever somebody looks. On other
/// systems than Linux there is none.
pub(crate) fn watch(meters: &Meters) {
    #[cfg(target_os = "linux")]
    linux::watch(meters);
    #[cfg(not(target_os = "linux"))]
    let _ = meters;
}
