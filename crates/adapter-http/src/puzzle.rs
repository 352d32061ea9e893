//! The puzzle before joining: which joins require one, and how hard it is.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use decorators::counter::Counter;
use domain::queue::{
    Difficulty, DifficultyControl, DifficultyRule, PuzzleIssuer, PuzzleRejected, QueueService,
    UserId,
};
use domain::{Clock, Timestamp};

use crate::distinct_users::DistinctUsers;
use crate::problem::{Problem, PuzzleDemand};

/// The header that carries a solution; header names are case-insensitive.
pub(crate) const JOIN_PUZZLE: HeaderName = HeaderName::from_static("joinpuzzle");

/// Time between two updates of the difficulty, in milliseconds.
const LOOK_EVERY: i64 = 100;

/// The puzzle before joining, shared by all workers.
#[derive(Clone, Default)]
pub struct JoinPuzzles(Option<Arc<Required>>);

/// Counts since the start, and the current difficulty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PuzzleCounts {
    /// Bits of the required puzzle; 0 if none is required.
    pub bits: u8,
    /// Users per second who try to join, as measured for the difficulty.
    pub rate: f64,
    /// Joins admitted with a solution.
    pub solved: u64,
    /// Joins admitted because the user already holds a place.
    pub rejoined: u64,
    /// Joins refused without a solution.
    pub unanswered: u64,
    /// Joins refused for their solution, in the order of [`PuzzleRejected::ALL`].
    pub rejected: [u64; PuzzleRejected::ALL.len()],
}

struct Required {
    issuer: Arc<dyn PuzzleIssuer>,
    rule: DifficultyRule,
    clock: Arc<dyn Clock>,
    control: Mutex<Control>,
    /// When the difficulty is updated next, in milliseconds since the epoch.
    next_look: AtomicI64,
    /// Required bits; 0 if no puzzle is required.
    required: AtomicU8,
    /// Users who tried to join since the last update, each counted at most once a second.
    users: DistinctUsers,
    solved: Counter,
    rejoined: Counter,
    unanswered: Counter,
    rejected: [Counter; PuzzleRejected::ALL.len()],
}

struct Control {
    difficulty: DifficultyControl,
    looked_at: Timestamp,
}

impl JoinPuzzles {
    /// Disables puzzles.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Requires puzzles of this issuer, with the difficulty this rule sets.
    #[must_use]
    pub fn new(issuer: Arc<dyn PuzzleIssuer>, rule: DifficultyRule, clock: Arc<dyn Clock>) -> Self {
        let difficulty = DifficultyControl::new(rule);
        let required = AtomicU8::new(difficulty.required().map_or(0, Difficulty::bits));
        let control = Mutex::new(Control { difficulty, looked_at: clock.now() });
        Self(Some(Arc::new(Required {
            issuer,
            rule,
            clock,
            control,
            next_look: AtomicI64::new(i64::MIN),
            required,
            users: DistinctUsers::new(),
            solved: Counter::default(),
            rejoined: Counter::default(),
            unanswered: Counter::default(),
            rejected: Default::default(),
        })))
    }

    /// Admitted and refused joins so far; all zero if puzzles are disabled.
    #[must_use]
    pub fn counts(&self) -> PuzzleCounts {
        self.0.as_ref().map_or_else(PuzzleCounts::default, |required| required.counts())
    }

    /// Checks a join, with its token if there is one. If no puzzle is required this costs next to
    /// nothing.
    ///
    /// # Errors
    /// [`Problem::PuzzleRequired`], or the error of an invalid token.
    pub(crate) async fn check(
        &self,
        queue: &QueueService,
        user: UserId,
        token: Option<&str>,
        request: &HttpRequest,
    ) -> Result<(), Problem> {
        match &self.0 {
            None => Ok(()),
            Some(required) => required.check(queue, user, token, request).await,
        }
    }

    /// A user whose token let them join without a puzzle did not hold the place any more and got a
    /// new one, so they count as newcomers.
    pub(crate) fn note_new_place(&self, user: UserId) {
        if let Some(required) = &self.0 {
            required.users.note(user, required.clock.now());
        }
    }
}

impl Required {
    async fn check(
        &self,
        queue: &QueueService,
        user: UserId,
        token: Option<&str>,
        request: &HttpRequest,
    ) -> Result<(), Problem> {
        let now = self.clock.now();
        let Some(required) = self.required(now) else {
            // A join with a token finds its place or is refused by the queue.
            if token.is_none() {
                self.users.note(user, now);
            }
            return Ok(());
        };
        if let Some(token) = token
            && queue.holds_place(user, token).await?
        {
            self.rejoined.add_one();
            return Ok(());
        }
        let rejected = match self.check_solution(request, user, now) {
            None => {
                self.unanswered.add_one();
                None
            }
            Some(Ok(())) => {
                self.solved.add_one();
                return Ok(());
            }
            Some(Err(reason)) => {
                self.rejected[reason as usize].add_one();
                Some(reason)
            }
        };
        // A user who solves a puzzle is counted when fetching it, and not again with the solution.
        self.users.note(user, now);
        let puzzle = self.issuer.issue(user, required, now);
        Err(Problem::PuzzleRequired(Box::new(PuzzleDemand { puzzle, rejected })))
    }

    /// Checks the solution, if the request has one.
    fn check_solution(
        &self,
        request: &HttpRequest,
        user: UserId,
        now: Timestamp,
    ) -> Option<Result<(), PuzzleRejected>> {
        let mut fields = request.headers().get_all(JOIN_PUZZLE);
        let (solution, second) = (fields.next()?, fields.next());
        if solution.is_empty() && second.is_none() {
            return None;
        }
        // The lowest difficulty, because another node may require less, or this one did when the
        // puzzle was fetched.
        let lowest = self.rule.lowest();
        Some(match (solution.to_str(), second) {
            (Ok(solution), None) => self.issuer.check(solution, user, lowest, now),
            (Ok(_) | Err(_), _) => Err(PuzzleRejected::Malformed),
        })
    }

    /// The difficulty required now.
    fn required(&self, now: Timestamp) -> Option<Difficulty> {
        if now.as_millisecond() >= self.next_look.load(Ordering::Relaxed) {
            self.refresh(now);
        }
        Difficulty::new(self.required.load(Ordering::Relaxed)).ok()
    }

    /// Adjusts the difficulty to the rate of joins, unless another thread is doing so.
    fn refresh(&self, now: Timestamp) {
        let mut control = match self.control.try_lock() {
            Ok(control) => control,
            Err(TryLockError::Poisoned(control)) => control.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let elapsed = Duration::try_from(now.duration_since(control.looked_at)).unwrap_or_default();
        if elapsed < Duration::from_millis(LOOK_EVERY.unsigned_abs()) {
            return;
        }
        let joins = self.users.take_new();
        let required = control.difficulty.observe(joins, elapsed);
        control.looked_at = now;
        self.required.store(required.map_or(0, Difficulty::bits), Ordering::Relaxed);
        self.next_look.store(now.as_millisecond().saturating_add(LOOK_EVERY), Ordering::Relaxed);
    }

    fn counts(&self) -> PuzzleCounts {
        let required = self.required(self.clock.now());
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        PuzzleCounts {
            bits: required.map_or(0, Difficulty::bits),
            rate: control.difficulty.rate(),
            solved: self.solved.get(),
            rejoined: self.rejoined.get(),
            unanswered: self.unanswered.get(),
            rejected: self.rejected.each_ref().map(Counter::get),
        }
    }
}

impl fmt::Debug for JoinPuzzles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinPuzzles").field(&self.counts()).finish()
    }
}
