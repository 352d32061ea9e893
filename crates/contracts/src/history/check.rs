//! The checker.

use std::fmt;
use std::time::Duration;

use super::rules;
use super::view::View;
use super::{History, Record};

/// At most this many findings of one rule are spelled out, the earliest; all are counted.
pub const FINDINGS_PER_RULE: usize = 20;

/// What must have held.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// How many sessions may run at once; `None` checks no limit.
    pub max_active: Option<u32>,
    /// How old the view of the line may be that an answer is made from.
    pub view_lag: Duration,
    /// The shortest time after which a called person's place may end by itself: the shorter one of how long a call stands
    /// and how long a session lasts. `None`: nothing ends by itself within the test.
    pub places_end_after: Option<Duration>,
    /// By how much a position may grow, as when the departures of others were lost.
    pub position_slack: u64,
    /// Whether every client asked on until it was called, left or was told that its place is gone.
    pub is_drained: bool,
    /// Whether no fault of the test may cost anybody their place: who is told that it is gone must then have left, or
    /// their place must have ended by itself.
    pub places_survive: bool,
}

/// The rules that are checked.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rule {
    /// Every answer is one to what was asked.
    AnswersFit,
    /// No number is given to two users.
    NumbersAreUnique,
    /// Nobody is told another number while they hold one.
    OnePlaceAUser,
    /// Who joins after another was told a number gets a higher one.
    OrderOfJoins,
    /// Nobody waits once a higher number has been called.
    OrderOfCalls,
    /// Who was called never waits again.
    CalledForGood,
    /// Positions do not grow.
    PositionsShrink,
    /// No more than `max_active` sessions at once.
    Limit,
    /// Who holds a place gets the same number when looked for.
    NobodyForgotten,
    /// In a drained line, everybody who stayed has been called.
    EverybodyCalled,
    /// Where places survive, nobody is told without a reason that theirs is gone.
    GoneForAReason,
    /// Nobody gets in with a number that was not told to them.
    NothingForged,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnswersFit => "the answer is none to what was asked",
            Self::NumbersAreUnique => "one number was given to two users",
            Self::OnePlaceAUser => "a user was told another number while holding one",
            Self::OrderOfJoins => "who joined later got the lower number",
            Self::OrderOfCalls => "a number waits although a higher one was called before",
            Self::CalledForGood => "who was called waits again",
            Self::PositionsShrink => "a position grew",
            Self::Limit => "more sessions than allowed run at once, these two among them",
            Self::NobodyForgotten => "who holds a place was not found in it",
            Self::EverybodyCalled => "the line is drained, and this user has never been called",
            Self::GoneForAReason => "a place is gone for no reason",
            Self::NothingForged => "somebody got in with a number that was never told to them",
        })
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Which.
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

/// Every rule that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Findings {
    found: Vec<Finding>,
    total: usize,
}

impl Findings {
    /// By rule, then by time; at most [`FINDINGS_PER_RULE`] of each.
    #[must_use]
    pub fn found(&self) -> &[Finding] {
        &self.found
    }

    /// How many there are, also those not spelled out.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether this rule was broken.
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.found.iter().any(|finding| finding.rule == rule)
    }

    fn add(&mut self, rule: Rule, mut breaches: Vec<Breach<'_>>) {
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

/// What a check found: the op that shows it, with the one it disagrees with before it.
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

/// Decides whether the rules held, in O(n log n). Ops that have not ended yet count as unknown.
///
/// # Errors
/// [`Findings`] with every rule that was certainly broken.
pub fn check(history: &History, rules: &Rules) -> Result<(), Findings> {
    let records = history.records();
    let view = View::new(&records);
    let mut findings = Findings { found: Vec::new(), total: 0 };
    findings.add(Rule::AnswersFit, rules::answers_fit(&view));
    findings.add(Rule::NumbersAreUnique, rules::numbers_are_unique(&view));
    findings.add(Rule::OnePlaceAUser, rules::one_place_a_user(&view, rules));
    findings.add(Rule::OrderOfJoins, rules::order_of_joins(&view));
    findings.add(Rule::OrderOfCalls, rules::order_of_calls(&view, rules));
    findings.add(Rule::CalledForGood, rules::called_for_good(&view, rules));
    findings.add(Rule::PositionsShrink, rules::positions_shrink(&view, rules));
    findings.add(Rule::Limit, rules::limit(&view, rules));
    findings.add(Rule::NobodyForgotten, rules::nobody_forgotten(&view, rules));
    findings.add(Rule::EverybodyCalled, rules::everybody_called(&view, rules));
    findings.add(Rule::GoneForAReason, rules::gone_for_a_reason(&view, rules));
    findings.add(Rule::NothingForged, rules::nothing_forged(&view));
    if findings.total == 0 { Ok(()) } else { Err(findings) }
}
