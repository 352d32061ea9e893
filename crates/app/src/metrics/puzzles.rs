//! The puzzles that joining requires.

use adapter_http::{JoinPuzzles, PuzzleCounts};
use domain::queue::PuzzleRejected;
use telemetry::metrics::Meters;
use telemetry::metrics::catalog::puzzles;

use super::Numbers;

const OF_ALL: Numbers<PuzzleCounts> =
    &[(&puzzles::BITS, |counts| counts.bits.into()), (&puzzles::RATE, |counts| counts.rate)];

/// Registers their metrics.
pub(crate) fn watch(meters: &Meters, all: &JoinPuzzles) {
    for (metric, number) in OF_ALL {
        let all = all.clone();
        meters.watch(metric, move |reported| reported.is(&[], number(&all.counts())));
    }
    let passed = all.clone();
    meters.watch(&puzzles::PASSED, move |reported| {
        let counts = passed.counts();
        reported.is(&["solved"], counts.solved as f64);
        reported.is(&["rejoined"], counts.rejoined as f64);
    });
    let refused = all.clone();
    meters.watch(&puzzles::REFUSED, move |reported| {
        let counts = refused.counts();
        reported.is(&["unanswered"], counts.unanswered as f64);
        for (reason, count) in PuzzleRejected::ALL.into_iter().zip(counts.rejected) {
            reported.is(&[reason.as_label()], count as f64);
        }
    });
}
