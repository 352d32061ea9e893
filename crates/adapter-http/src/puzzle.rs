//! The puzzle before joining: who is asked to solve one, and how hard it is.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use decorators::counter::Counter;
use domain::queue::{
    Difficulty, DifficultyControl, DifficultyRule, JoinPuzzle, PuzzleIssuer, PuzzleRejected,
    QueueService, UserId,
};
use domain::{Clock, Timestamp};

use crate::distinct::DistinctUsers;
use crate::problem::Problem;

/// The header that carries a solution; header names have no case.
const JOIN_PUZZLE: HeaderName = HeaderName::from_static("joinpuzzle");

/// How often the difficulty is looked at again, in milliseconds.
const LOOK_EVERY: i64 = 100;

/// The puzzle before joining, shared by all workers.
#[derive(Clone, Default)]
pub struct JoinPuzzles(Option<Arc<Required>>);

/// What the puzzles have done since the start, and what is asked for now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PuzzleCounts {
    /// Bits of the puzzle that is asked for; 0 is none.
    pub bits: u8,
    /// Users who want to join, a second, as the difficulty counts them.
    pub rate: f64,
    /// Joins let through for a solution.
    pub solved: u64,
    /// Joins let through for the place that the user holds.
    pub rejoined: u64,
    /// Joins refused without a solution.
    pub unanswered: u64,
    /// Joins refused for their solution, in the order of [`PuzzleRejected::ALL`].
    pub rejected: [u64; PuzzleRejected::ALL.len()],
}

/// A puzzle to solve, and what was wrong with a solution of another.
#[derive(Clone, Debug)]
pub(crate) struct PuzzleDemand {
    pub(crate) puzzle: JoinPuzzle,
    pub(crate) rejected: Option<PuzzleRejected>,
}

struct Required {
    issuer: Arc<dyn PuzzleIssuer>,
    rule: DifficultyRule,
    clock: Arc<dyn Clock>,
    control: Mutex<Control>,
    /// Milliseconds since the epoch at which the difficulty is looked at again.
    next_look: AtomicI64,
    /// Bits asked for; 0 is none.
    asked: AtomicU8,
    /// Users who wanted to join since the last look, each counted at most once a second.
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
    /// No puzzles: joining is free.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Puzzles of this issuer, as hard as the rule says.
    #[must_use]
    pub fn new(issuer: Arc<dyn PuzzleIssuer>, rule: DifficultyRule, clock: Arc<dyn Clock>) -> Self {
        let difficulty = DifficultyControl::new(rule);
        let asked = AtomicU8::new(difficulty.asked().map_or(0, Difficulty::bits));
        let control = Mutex::new(Control { difficulty, looked_at: clock.now() });
        Self(Some(Arc::new(Required {
            issuer,
            rule,
            clock,
            control,
            next_look: AtomicI64::new(i64::MIN),
            asked,
            users: DistinctUsers::new(),
            solved: Counter::default(),
            rejoined: Counter::default(),
            unanswered: Counter::default(),
            rejected: Default::default(),
        })))
    }

    /// What has been let through and refused so far; all zero where there are no puzzles.
    #[must_use]
    pub fn counts(&self) -> PuzzleCounts {
        self.0.as_ref().map_or_else(PuzzleCounts::default, |required| required.counts())
    }

    /// Somebody joins, with this token if they show one. Where nothing is asked for this costs next
    /// to nothing.
    ///
    /// # Errors
    /// [`Problem::PuzzleRequired`], or what is wrong with the token.
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
        let Some(asked) = self.asked(now) else {
            // With a token the user finds their place, or is refused by the queue.
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
        // A person who solves is counted when they fetch the puzzle, and not again with the
        // solution.
        self.users.note(user, now);
        let puzzle = self.issuer.issue(user, asked, now);
        Err(Problem::PuzzleRequired(Box::new(PuzzleDemand { puzzle, rejected })))
    }

    /// What is to be said of the solution, if one is shown.
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
        // Another node may ask for less, or this one did when the puzzle was fetched.
        let lowest = self.rule.lowest();
        Some(match (solution.to_str(), second) {
            (Ok(solution), None) => self.issuer.check(solution, user, lowest, now),
            (Ok(_) | Err(_), _) => Err(PuzzleRejected::Malformed),
        })
    }

    /// What is asked for now.
    fn asked(&self, now: Timestamp) -> Option<Difficulty> {
        if now.as_millisecond() >= self.next_look.load(Ordering::Relaxed) {
            self.look(now);
        }
        Difficulty::new(self.asked.load(Ordering::Relaxed)).ok()
    }

    /// Follows the rate of joins, unless somebody else does so right now.
    fn look(&self, now: Timestamp) {
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
        let asked = control.difficulty.observe(joins, elapsed);
        control.looked_at = now;
        self.asked.store(asked.map_or(0, Difficulty::bits), Ordering::Relaxed);
        self.next_look.store(now.as_millisecond().saturating_add(LOOK_EVERY), Ordering::Relaxed);
    }

    fn counts(&self) -> PuzzleCounts {
        let asked = self.asked(self.clock.now());
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        PuzzleCounts {
            bits: asked.map_or(0, Difficulty::bits),
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
