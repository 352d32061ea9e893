//! Answers as they were seen, and figures of many of them.

use std::fmt;
use std::time::Duration;

/// What an answer was worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// 200.
    Good,
    /// 200, marked as old with `Warning`.
    Marked,
    /// 503 that says when to come again.
    Refused,
    /// Anything else, and none at all.
    Failed,
}

/// One question and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// When it was due, from the beginning of the load.
    pub(crate) at: Duration,
    /// From then to the end of the answer.
    pub(crate) took: Duration,
    pub(crate) what: What,
}

/// Figures of many answers; without one all times are zero.
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

    /// All that were answered with 200.
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

/// Those that were due from here on and before there, in seconds.
pub(crate) fn between(seen: &[Seen], from: f64, to: f64) -> impl Iterator<Item = &Seen> + Clone {
    seen.iter().filter(move |one| (from..to).contains(&one.at.as_secs_f64()))
}

/// The same as it was, or not worse than noise makes it: twice as long, or 10 ms more.
pub(crate) fn is_within_noise(time: Duration, before: Duration) -> bool {
    time <= (before * 2).max(before + Duration::from_millis(10))
}

/// The smallest that so many percent do not exceed.
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
    fn a_percentile_is_not_exceeded_by_so_many() {
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
    fn answers_are_counted_by_what_they_are_worth_and_when_they_were_due() {
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
