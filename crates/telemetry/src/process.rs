//! Metrics about the process and its machine.

#[cfg(target_os = "linux")]
mod linux;

use crate::metrics::Meters;

/// Registers every metric of [`catalog::process`](crate::metrics::catalog::process). Does
/// nothing on systems other than Linux.
pub(crate) fn watch(meters: &Meters) {
    #[cfg(target_os = "linux")]
    linux::watch(meters);
    #[cfg(not(target_os = "linux"))]
    let _ = meters;
}
