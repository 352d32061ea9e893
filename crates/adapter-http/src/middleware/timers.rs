//! A pool of timers for pending requests.
//!
//! All requests have the same timeout, so a reused timer is always set to a later moment than
//! before. tokio leaves such a timer where it is in its timer wheel: neither taking nor returning
//! it locks the wheel, which is most of a timer's cost.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

/// Maximum number of idle timers that a worker keeps after a burst.
const MOST_IDLE: usize = 1_024;

/// The idle timers of one worker. An idle timer may cause one spurious wakeup of a connection.
#[derive(Default)]
pub(super) struct Timers {
    idle: RefCell<Vec<Pin<Box<Sleep>>>>,
}

/// A timer in use; it returns to the pool when dropped.
pub(super) struct Timer {
    /// `Some` until it returns to the pool.
    sleep: Option<Pin<Box<Sleep>>>,
    /// The waker registered with `sleep`.
    wakes: Option<Waker>,
    home: Rc<Timers>,
}

impl Timer {
    /// Takes an idle timer from `home` or creates one, and sets it to `deadline`.
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

    /// Ready once the deadline has passed. The last task that polled is woken then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        let will_be_woken = self.wakes.as_ref().is_some_and(|known| known.will_wake(cx.waker()));
        // A request is polled more often than its waker changes, and registering the waker again
        // costs more than comparing it.
        if will_be_woken && !sleep.is_elapsed() {
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
    async fn a_reused_timer_expires_at_its_new_deadline() {
        let (home, began) = (Rc::new(Timers::default()), Instant::now());
        let mut first = Timer::until(began + LIMIT, &home);
        let is_waiting = poll_fn(|cx| Poll::Ready(first.poll(cx).is_pending())).await;
        assert!(is_waiting);
        drop(first);
        tokio::time::advance(LIMIT / 2).await;
        let mut again = Timer::until(Instant::now() + LIMIT, &home);
        assert!(home.idle.borrow().is_empty(), "the idle timer is reused");
        wait(&mut again).await;
        assert_eq!(began.elapsed(), LIMIT * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_timer_can_be_reused() {
        let (home, began) = (Rc::new(Timers::default()), Instant::now());
        for round in 1..=3 {
            wait(&mut Timer::until(Instant::now() + LIMIT, &home)).await;
            assert_eq!((began.elapsed(), home.idle.borrow().len()), (LIMIT * round, 1));
        }
    }

    #[tokio::test]
    async fn idle_timers_are_bounded() {
        let home = Rc::new(Timers::default());
        let many: Vec<_> =
            (0..=MOST_IDLE).map(|_| Timer::until(Instant::now() + LIMIT, &home)).collect();
        drop(many);
        assert_eq!(home.idle.borrow().len(), MOST_IDLE);
    }
}
