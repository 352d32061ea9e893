//! The rules, and their violations.

use std::fmt;
use std::time::Duration;

use super::Record;

/// The number of findings of each rule that are listed, earliest first; all are counted.
pub const FINDINGS_PER_RULE: usize = 20;

/// The assumptions under which a history is checked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// The number of sessions that can run at once; `None` checks no limit.
    pub max_active: Option<u32>,
    /// The maximum age of the snapshot from which an answer is computed.
    pub view_lag: Duration,
    /// The shortest time after which the place of a called user can expire: the claim time or the
    /// session length, whichever is shorter. `None` if nothing expires during the test.
    pub places_end_after: Option<Duration>,
    /// The amount by which a position can grow, for example because abandoned numbers were lost.
    pub position_slack: u64,
    /// Whether each client polled until it was called, left or got the answer that its place is
    /// gone.
    pub is_drained: bool,
    /// Whether no fault of the test can lose a place: a place that is reported gone must have been
    /// left or have expired.
    pub places_survive: bool,
}

/// A rule of the queue.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rule {
    /// Every response is possible for its invocation.
    AnswersFit,
    /// No number is given to two users.
    NumbersAreUnique,
    /// A user gets no second number while they hold one.
    OnePlaceAUser,
    /// A user who joins after another got a number gets a higher one.
    OrderOfJoins,
    /// A number does not wait once a higher one has been called.
    OrderOfCalls,
    /// A called number does not wait again.
    CalledForGood,
    /// Positions do not grow.
    PositionsShrink,
    /// At most `max_active` sessions run at once.
    Limit,
    /// A user who holds a place gets the same number after the faults.
    NobodyForgotten,
    /// In a drained queue, every user who stayed has been called.
    EverybodyCalled,
    /// If places survive, a place is not reported gone without a reason.
    GoneForAReason,
    /// A user is admitted only with a number that was given to them.
    NothingForged,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnswersFit => "the response does not fit the invocation",
            Self::NumbersAreUnique => "one number was given to two users",
            Self::OnePlaceAUser => "a user got another number while holding one",
            Self::OrderOfJoins => "a user who joined later got a lower number",
            Self::OrderOfCalls => "a number waits although a higher one was called before",
            Self::CalledForGood => "a called number waits again",
            Self::PositionsShrink => "a position grew",
            Self::Limit => "more sessions than allowed run at once, these two among them",
            Self::NobodyForgotten => "a user lost their place",
            Self::EverybodyCalled => "the queue is drained, and this user was never called",
            Self::GoneForAReason => "a place is gone without a reason",
            Self::NothingForged => "a user was admitted with a number that was not given to them",
        })
    }
}

/// A violation of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The ops that show it, one or two.
    pub ops: Vec<Record>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        self.ops.iter().try_for_each(|op| write!(f, "\n  {op}"))
    }
}

/// All violations of a history.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    found: Vec<Finding>,
    total: usize,
}

impl Findings {
    /// The findings by rule, then by time; at most [`FINDINGS_PER_RULE`] of each rule.
    #[must_use]
    pub fn found(&self) -> &[Finding] {
        &self.found
    }

    /// The number of findings, including those not listed.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether this rule was broken.
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.found.iter().any(|finding| finding.rule == rule)
    }

    pub(super) fn add(&mut self, rule: Rule, mut breaches: Vec<Breach<'_>>) {
        self.total += breaches.len();
        breaches.sort_by_key(|breach| breach.second.unwrap_or(breach.first).begun);
        breaches.truncate(FINDINGS_PER_RULE);
        self.found.extend(breaches.into_iter().map(|breach| Finding {
            rule,
            ops: [Some(breach.first), breach.second].into_iter().flatten().copied().collect(),
        }));
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} findings, {} of them here:", self.total, self.found.len())?;
        self.found.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}

impl std::error::Error for Findings {}

/// The op that breaks a rule, preceded by the op that it conflicts with, if any.
pub(super) struct Breach<'a> {
    first: &'a Record,
    second: Option<&'a Record>,
}

impl<'a> Breach<'a> {
    pub(super) fn of(op: &'a Record) -> Self {
        Self { first: op, second: None }
    }

    pub(super) fn between(first: &'a Record, second: &'a Record) -> Self {
        Self { first, second: Some(second) }
    }
}
