//! Simulated people: each joins, waits, and reads dates when called; some leave.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use contracts::history::{Completion, History};
use test_support::{Outcome, RecordingClient, RecordingClients, Reply};

use super::PLACES_END_AFTER;

/// People who visit at the same time, until the time is over and each has finished.
pub(super) struct Load {
    begun: Instant,
    lasts: Duration,
    crowd: Vec<JoinHandle<Statuses>>,
}

/// The number of answers by status; `None` without an answer.
#[derive(Default)]
pub(super) struct Statuses(BTreeMap<Option<u16>, u64>);

/// The state of one thread, whose visitors come one at a time.
struct Visits {
    proxy: SocketAddr,
    guests: RecordingClients,
    end: Instant,
    next: Arc<AtomicU64>,
    seen: Statuses,
}

/// Above the users of other scripts.
const FIRST_USER: u64 = 1_000_000;

/// The concert whose dates are read.
const CONCERT: u64 = 451;

/// The longest pause between two polls, whatever the answer says, for more answers to check.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// Delay before a refused request is repeated.
const AGAIN: Duration = Duration::from_millis(200);

/// Time after the end until a visitor gives up; the check then judges the result.
const OVERTIME: Duration = Duration::from_secs(60);

impl Load {
    pub(super) fn start(
        history: &History,
        proxy: SocketAddr,
        people: u64,
        lasts: Duration,
    ) -> Outcome<Self> {
        let begun = Instant::now();
        let (guests, next) = (
            RecordingClients::new(history, PLACES_END_AFTER),
            Arc::new(AtomicU64::new(FIRST_USER)),
        );
        // An invalid user fails here and not in a thread.
        guests.client(FIRST_USER)?;
        let crowd = (0..people).map(|_| {
            let (guests, next, seen) = (guests.clone(), Arc::clone(&next), Statuses::default());
            let visits = Visits { proxy, guests, end: begun + lasts, next, seen };
            std::thread::spawn(move || visits.all())
        });
        Ok(Self { begun, lasts, crowd: crowd.collect() })
    }

    /// Waits until `parts / of` of the time has passed.
    pub(super) fn wait_for(&self, parts: u32, of: u32) {
        pause(self.lasts * parts / of, self.begun);
    }

    pub(super) fn passed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until every visitor has finished.
    pub(super) fn join(self) -> Statuses {
        let mut all = Statuses::default();
        for statuses in self.crowd.into_iter().filter_map(|one| one.join().ok()) {
            statuses
                .0
                .into_iter()
                .for_each(|(status, count)| *all.0.entry(status).or_default() += count);
        }
        all
    }
}

impl Visits {
    fn all(mut self) -> Statuses {
        let mut stayed = Vec::new();
        while Instant::now() < self.end {
            let user = self.next.fetch_add(1, Ordering::Relaxed);
            let Ok(mut client) = self.guests.client(user) else { break };
            if self.visit(&mut client, user) {
                stayed.push(client);
            }
        }
        for client in &mut stayed {
            let proxy = self.proxy;
            let received = self.until_answered(|| client.find_again(proxy));
            // The service does not answer any more; the verdict counts this one.
            if received.reported == Completion::Unknown {
                break;
            }
        }
        self.seen
    }

    /// Returns true if the person stays at the end.
    fn visit(&mut self, client: &mut RecordingClient, user: u64) -> bool {
        let proxy = self.proxy;
        self.until_answered(|| client.join(proxy));
        let leaves = |nth: u64| user.is_multiple_of(nth);
        if leaves(7) {
            self.until_answered(|| client.leave(proxy));
            return false;
        }
        // As if the page were reloaded.
        if leaves(5) {
            self.until_answered(|| client.join(proxy));
        }
        if !self.wait_for_the_call(client) {
            return false;
        }
        self.until_answered(|| client.go_in(proxy, CONCERT));
        if leaves(2) {
            self.until_answered(|| client.leave(proxy));
            self.until_answered(|| client.go_in(proxy, CONCERT));
            return false;
        }
        true
    }

    /// Polls until called; returns false if that does not happen.
    fn wait_for_the_call(&mut self, client: &RecordingClient) -> bool {
        let proxy = self.proxy;
        while Instant::now() < self.end + OVERTIME {
            let received = self.until_answered(|| client.request(proxy));
            if matches!(
                received.reported,
                Completion::Called | Completion::Active | Completion::Gone
            ) {
                return received.reported != Completion::Gone;
            }
            pause(received.poll_after.unwrap_or(IMPATIENCE).min(IMPATIENCE), Instant::now());
        }
        false
    }

    /// Repeats the request until the answer is conclusive; each attempt is recorded separately. If
    /// a leave got no answer, the repeated one may find the place gone.
    fn until_answered(&mut self, mut request: impl FnMut() -> Reply) -> Reply {
        loop {
            let received = request();
            *self.seen.0.entry(received.status).or_default() += 1;
            let is_reported =
                !matches!(received.reported, Completion::Unknown | Completion::Refused);
            if is_reported || Instant::now() > self.end + OVERTIME {
                return received;
            }
            pause(AGAIN, Instant::now());
        }
    }
}

/// Waits until `time` has passed since `since`.
fn pause(time: Duration, since: Instant) {
    while let Some(left) = time.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("answers:")?;
        self.0.iter().try_for_each(|(status, count)| match status {
            Some(status) => write!(f, " {status} {count} times;"),
            None => write!(f, " none {count} times;"),
        })
    }
}
