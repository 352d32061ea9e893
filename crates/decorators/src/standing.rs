//! Who may wait, and how long: the rule for a queue in memory by Maurer, "Fail at Scale" (ACM Queue, 2015), after
//! CoDel. A queue that empties now and then absorbs a burst; one that stands only makes everybody late.

use std::time::Duration;

use tokio::time::Instant;

/// How many may wait, and how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// So many at once.
    pub most: u32,
    /// A queue that has not been empty for so long is a standing one; until then this is also how long one may wait.
    pub burst: Duration,
    /// How long one may wait in a standing queue.
    pub standing: Duration,
}

/// How many wait, and since when somebody has.
#[derive(Debug)]
pub struct StandingQueue {
    rule: Waiting,
    waiting: u32,
    not_empty_since: Option<Instant>,
}

impl StandingQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(rule: Waiting) -> Self {
        Self { rule, waiting: 0, not_empty_since: None }
    }

    /// Somebody comes: how long they may wait, or `None` when as many wait as may.
    pub fn enter(&mut self, now: Instant) -> Option<Duration> {
        if self.waiting >= self.rule.most {
            return None;
        }
        self.waiting += 1;
        let since = *self.not_empty_since.get_or_insert(now);
        let Waiting { burst, standing, .. } = self.rule;
        Some(if now.saturating_duration_since(since) < burst { burst } else { standing.min(burst) })
    }

    /// Somebody goes, served or not.
    pub fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 {
            self.not_empty_since = None;
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Option<u64> = Some(100);
    const SHORT: Option<u64> = Some(5);

    /// Who comes is told how many milliseconds they may wait.
    enum Step {
        Comes(Option<u64>),
        Goes,
    }
    use Step::{Comes, Goes};

    fn check(name: &str, max_waiting: u32, steps: &[(u64, Step)]) {
        let start = Instant::now();
        let (burst, standing) = (Duration::from_millis(100), Duration::from_millis(5));
        let mut queue = StandingQueue::new(Waiting { most: max_waiting, burst, standing });
        for (at, step) in steps {
            match step {
                Comes(expected) => {
                    let wait = queue.enter(start + Duration::from_millis(*at));
                    assert_eq!(wait, expected.map(Duration::from_millis), "{name}, at {at} ms");
                }
                Goes => queue.leave(),
            }
        }
    }

    #[test]
    fn a_burst_may_wait_and_a_standing_queue_may_not() {
        check("a burst", 9, &[(0, Comes(LONG)), (1, Comes(LONG)), (99, Comes(LONG))]);
        check("it stands", 9, &[(0, Comes(LONG)), (100, Comes(SHORT)), (5_000, Comes(SHORT))]);
        check(
            "one goes, another is there all the time",
            9,
            &[(0, Comes(LONG)), (60, Comes(LONG)), (90, Goes), (120, Comes(SHORT))],
        );
        check(
            "it was empty for a moment",
            9,
            &[(0, Comes(LONG)), (100, Comes(SHORT)), (101, Goes), (102, Goes), (103, Comes(LONG))],
        );
    }

    #[test]
    fn no_more_wait_than_may() {
        check(
            "full",
            2,
            &[(0, Comes(LONG)), (0, Comes(LONG)), (0, Comes(None)), (1, Goes), (2, Comes(LONG))],
        );
        check("nobody may", 0, &[(0, Comes(None)), (500, Comes(None))]);
    }
}
