//! The timers of requests that wait, used again and again.
//!
//! Every request has the same time, so a timer that is used again is set to a later moment than before. Such a timer stays where
//! it is in tokio's wheel: neither making it nor giving it back takes the wheel's lock, which is most of what a timer costs.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

/// Timers kept for later, at most: what a worker's burst leaves behind.
const MOST_IDLE: usize = 1_024;

/// The timers of one worker that nobody waits for. One of them may wake a connection for nothing once.
#[derive(Default)]
pub(super) struct Timers {
    idle: RefCell<Vec<Pin<Box<Sleep>>>>,
}

/// A timer somebody waits for; given back when dropped.
pub(super) struct Timer {
    /// There until it is given back.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes.
    wakes: Option<Waker>,
    home: Rc<Timers>,
}

impl Timer {
    /// A timer for this moment, of those at `home` or a new one.
    pub(super) fn until(deadline: Instant, home: &Rc<Timers>) -> Self {
        let idle = home.idle.borrow_mut().pop();
        let sleep = match idle {
            Some(mut sleep) => {
                sleep.as_mut().reset(deadline);
                sleep
            }
            None => Box::pin(sleep_until(deadline)),
        };
        Self { sleep: Some(sleep), wakes: None, home: Rc::clone(home) }
    }

    /// Whether the moment has come; who asks is woken when it does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        let is_told = self.wakes.as_ref().is_some_and(|known| known.will_wake(cx.waker()));
        // A request is asked more often than it is woken, and telling a timer again costs more than looking at it.
        if is_told && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.wakes = Some(cx.waker().clone());
        sleep.as_mut().poll(cx)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut idle = self.home.idle.borrow_mut();
        if idle.len() < MOST_IDLE {
            idle.extend(self.sleep.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    async fn wait(timer: &mut Timer) {
        poll_fn(|cx| timer.poll(cx)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_used_again_ends_at_its_own_time() {
        let (home, began) = (Rc::new(Timers::default()), Instant::now());
        let mut first = Timer::until(began + LIMIT, &home);
        let is_waiting = poll_fn(|cx| Poll::Ready(first.poll(cx).is_pending())).await;
        assert!(is_waiting);
        drop(first);
        tokio::time::advance(LIMIT / 2).await;
        let mut again = Timer::until(Instant::now() + LIMIT, &home);
        assert!(home.idle.borrow().is_empty(), "it is the one that was given back");
        wait(&mut again).await;
        assert_eq!(began.elapsed(), LIMIT * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_rung_can_be_set_again() {
        let (home, began) = (Rc::new(Timers::default()), Instant::now());
        for round in 1..=3 {
            wait(&mut Timer::until(Instant::now() + LIMIT, &home)).await;
            assert_eq!((began.elapsed(), home.idle.borrow().len()), (LIMIT * round, 1));
        }
    }

    #[tokio::test]
    async fn no_more_are_kept_than_a_worker_may() {
        let home = Rc::new(Timers::default());
        let many: Vec<_> =
            (0..=MOST_IDLE).map(|_| Timer::until(Instant::now() + LIMIT, &home)).collect();
        drop(many);
        assert_eq!(home.idle.borrow().len(), MOST_IDLE);
    }
}
