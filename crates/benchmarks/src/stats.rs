//! Rounds of measurement, statistics over them, and formatting of figures.

use clap::Args;
use serde::{Deserialize, Serialize};

/// The length and number of measurements.
#[derive(Args, Clone, Copy, Deserialize, Serialize)]
pub(crate) struct Rounds {
    /// Rounds of measurement
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u32,
}

/// Lowest, median and highest; NaN if there are no figures.
pub(crate) fn spread(figures: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    between(figures, |_| 0)
}

/// Lowest, median and highest of the middle half, which excludes rounds in which the machine was
/// disturbed. Of three figures or fewer, all count.
pub(crate) fn middle_half(figures: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    between(figures, |count| count / 4)
}

/// Leaves out `left_out(count)` figures at either end.
fn between(
    figures: impl Iterator<Item = f64>,
    left_out: impl FnOnce(usize) -> usize,
) -> (f64, f64, f64) {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let first = left_out(figures.len());
    let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
    (at(first), at(figures.len() / 2), at(figures.len().saturating_sub(1 + first)))
}

/// A time in a readable unit.
pub(crate) fn time(microseconds: u64) -> String {
    let micros = microseconds as f64;
    if micros >= 1e6 {
        format!("{:.2} s", micros / 1e6)
    } else if micros >= 1e3 {
        format!("{:.2} ms", micros / 1e3)
    } else {
        format!("{microseconds} µs")
    }
}

/// Bytes in MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_lowest_and_the_highest() {
        assert_eq!(spread([3.0, 1.0, 1.5].into_iter()), (1.0, 1.5, 3.0));
        assert_eq!([999, 1_500, 2_500_000].map(time), ["999 µs", "1.50 ms", "2.50 s"]);
        assert!(spread(std::iter::empty()).1.is_nan());
        let nine = [9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(middle_half(nine.into_iter()), (3.0, 5.0, 7.0));
        assert_eq!(middle_half([3.0, 1.0, 1.5].into_iter()), (1.0, 1.5, 3.0));
    }
}
