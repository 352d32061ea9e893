//! Outcomes of requests, and statistics over them.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
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
pub struct Seen {
    /// When it was due, since the start of the load.
    pub at: Duration,
    /// From the due moment to the end of the answer.
    pub took: Duration,
    /// Its outcome.
    pub what: What,
}

/// Statistics over many answers; without answers all times are zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Answers of [`What::Good`].
    pub good: usize,
    /// Answers of [`What::Marked`].
    pub marked: usize,
    /// Answers of [`What::Refused`].
    pub refused: usize,
    /// Requests of [`What::Failed`].
    pub failed: usize,
    /// The median time.
    pub p50: Duration,
    /// The 99th percentile of the times.
    pub p99: Duration,
    /// The 99.9th percentile of the times.
    pub p999: Duration,
    /// The longest time.
    pub longest: Duration,
}

impl Summary {
    /// The statistics of these requests.
    pub fn of<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Self {
        let seen: Vec<&Seen> = seen.into_iter().collect();
        let count = |what| seen.iter().filter(|one| one.what == what).count();
        let times = times_of(&seen);
        let percentile = |share| {
            let micros = times.as_ref().map_or(0, |times| times.value_at_quantile(share));
            Duration::from_micros(micros)
        };
        Self {
            good: count(What::Good),
            marked: count(What::Marked),
            refused: count(What::Refused),
            failed: count(What::Failed),
            p50: percentile(0.5),
            p99: percentile(0.99),
            p999: percentile(0.999),
            longest: percentile(1.0),
        }
    }

    /// All answers with status 200.
    pub fn answered(&self) -> usize {
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
pub fn between(seen: &[Seen], from: f64, to: f64) -> impl Iterator<Item = &Seen> + Clone {
    seen.iter().filter(move |one| (from..to).contains(&one.at.as_secs_f64()))
}

/// Whether `time` exceeds `before` by no more than noise: twice as long, or 10 ms more.
pub fn is_within_noise(time: Duration, before: Duration) -> bool {
    time <= (before * 2).max(before + Duration::from_millis(10))
}

/// An hour, in microseconds. Longer times count as this one.
const MAX_TIME: u64 = 3_600_000_000;

/// The times in whole microseconds, to three digits. `None` never happens: the library supports
/// this range and precision.
fn times_of(seen: &[&Seen]) -> Option<Histogram<u64>> {
    let mut times = Histogram::new_with_max(MAX_TIME, 3).ok()?;
    for one in seen {
        times.saturating_record(u64::try_from(one.took.as_micros()).unwrap_or(u64::MAX));
    }
    Some(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(times: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        times.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_bounds_its_share_of_the_times_to_three_digits() {
        let seen: Vec<Seen> = ms(1..=100)
            .into_iter()
            .map(|took| Seen { at: Duration::ZERO, took, what: What::Good })
            .collect();
        let Summary { p50, p99, p999, longest, .. } = Summary::of(&seen);
        let found = [p50, p99, p999, longest].map(|time| (time.as_secs_f64() * 1e3).round());
        assert_eq!(found, [50.0, 99.0, 100.0, 100.0]);
        assert_eq!(Summary::of([]).p99, Duration::ZERO);
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
        assert_eq!((all.answered(), all.longest.as_millis()), (2, 3));
        assert_eq!(between(&seen, 1.0, 3.0).count(), 2);
    }
}
