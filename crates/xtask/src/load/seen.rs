//! Outcomes of requests, and statistics over them.

use std::fmt;
use std::time::Duration;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// 200.
    Good,
    /// 200, marked as stale with `Warning`.
    Marked,
    /// 503 with `Retry-After`.
    Refused,
    /// Any other answer, or none.
    Failed,
}

/// One request and its outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// When it was due, since the start of the load.
    pub(crate) at: Duration,
    /// From the due moment to the end of the answer.
    pub(crate) took: Duration,
    pub(crate) what: What,
}

/// Statistics over many answers; without answers all times are zero.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) good: usize,
    pub(crate) marked: usize,
    pub(crate) refused: usize,
    pub(crate) failed: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) longest: Duration,
}

impl Summary {
    pub(crate) fn of<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Self {
        let seen: Vec<&Seen> = seen.into_iter().collect();
        let count = |what| seen.iter().filter(|one| one.what == what).count();
        let mut times: Vec<Duration> = seen.iter().map(|one| one.took).collect();
        times.sort_unstable();
        Self {
            good: count(What::Good),
            marked: count(What::Marked),
            refused: count(What::Refused),
            failed: count(What::Failed),
            p50: percentile(&times, 50.0),
            p99: percentile(&times, 99.0),
            p999: percentile(&times, 99.9),
            longest: percentile(&times, 100.0),
        }
    }

    /// All answers with status 200.
    pub(crate) fn answered(&self) -> usize {
        self.good + self.marked
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { good, marked, refused, failed, .. } = self;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{good:>6} good {marked:>6} marked {refused:>6} refused {failed:>4} failed; \
             ms: p50 {:.1}, p99 {:.1}, p99.9 {:.1}, longest {:.1}",
            ms(self.p50),
            ms(self.p99),
            ms(self.p999),
            ms(self.longest)
        )
    }
}

/// The requests that were due in `from..to`, in seconds.
pub(crate) fn between(seen: &[Seen], from: f64, to: f64) -> impl Iterator<Item = &Seen> + Clone {
    seen.iter().filter(move |one| (from..to).contains(&one.at.as_secs_f64()))
}

/// Whether `time` exceeds `before` by no more than noise: twice as long, or 10 ms more.
pub(crate) fn is_within_noise(time: Duration, before: Duration) -> bool {
    time <= (before * 2).max(before + Duration::from_millis(10))
}

/// The smallest value that `percent` of all do not exceed.
fn percentile(sorted: &[Duration], percent: f64) -> Duration {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(times: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        times.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_bounds_its_share_of_the_values() {
        let times = ms(1..=100);
        assert_eq!(percentile(&times, 50.0), times[49]);
        assert_eq!(percentile(&times, 99.0), times[98]);
        assert_eq!(percentile(&times, 99.9), times[99]);
        assert_eq!(percentile(&times, 100.0), times[99]);
        assert_eq!(percentile(&ms([7]), 50.0), ms([7])[0]);
        assert_eq!(percentile(&[], 99.0), Duration::ZERO);
    }

    #[test]
    fn noise_is_a_factor_or_a_few_milliseconds() {
        let [two, twelve, thirteen, fifty, hundred] = ms([2, 12, 13, 50, 100])[..] else {
            panic!()
        };
        assert!(is_within_noise(twelve, two) && !is_within_noise(thirteen, two));
        assert!(is_within_noise(hundred, fifty) && !is_within_noise(hundred + two, fifty));
    }

    #[test]
    fn answers_are_counted_by_outcome_and_due_time() {
        let seen: Vec<Seen> =
            [(0, What::Good), (1, What::Marked), (2, What::Refused), (3, What::Failed)]
                .map(|(at, what)| Seen {
                    at: Duration::from_secs(at),
                    took: Duration::from_millis(at),
                    what,
                })
                .to_vec();
        let all = Summary::of(&seen);
        assert_eq!((all.good, all.marked, all.refused, all.failed), (1, 1, 1, 1));
        assert_eq!((all.answered(), all.longest), (2, Duration::from_millis(3)));
        assert_eq!(between(&seen, 1.0, 3.0).count(), 2);
    }
}
