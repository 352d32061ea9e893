//! One op: what was asked, what was told, and when.

use std::fmt;
use std::time::Duration;

use domain::queue::{QueueNumber, UserId};

/// What a client asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// For a place.
    Join {
        /// Who.
        user: UserId,
    },
    /// Where a place stands.
    Ask {
        /// Whose place.
        user: UserId,
        /// Its number.
        number: QueueNumber,
    },
    /// To be let in, which claims the call.
    Admit {
        /// Whose place.
        user: UserId,
        /// Its number.
        number: QueueNumber,
    },
    /// To give a place back.
    Leave {
        /// Whose place.
        user: UserId,
        /// Its number.
        number: QueueNumber,
    },
    /// For a place, after all faults are over, to see who was forgotten.
    FindAgain {
        /// Who.
        user: UserId,
    },
}

/// What a client was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// To a join: the number.
    Number {
        /// The number.
        number: QueueNumber,
        /// Whether the answer said that the user held it before. Kept for the reader: nothing is concluded from it,
        /// since not every answer says so.
        rejoined: bool,
    },
    /// To an ask: not called yet.
    Waiting {
        /// People ahead plus one.
        position: u64,
    },
    /// To an ask: called and not claimed yet.
    Called,
    /// To an ask: inside.
    Active,
    /// To an ask, an admit or a leave: the place is no longer anything.
    Gone,
    /// To an admit: inside.
    LetIn {
        /// How long the session lasts at most from the answer on: what the answer said was left of it, or the length of
        /// a session. Where a session may be shorter, name the shorter: the limit is checked as if nobody ended it
        /// sooner.
        until_after: Duration,
    },
    /// To an admit: not called yet.
    NotYet,
    /// To a leave: given back.
    Left,
    /// To anything: certainly nothing happened.
    Refused,
    /// To anything: a timeout, a lost connection, an error of the service. It may or may not have happened, or may
    /// happen yet.
    Unknown,
}

/// An op as it is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// Counts from 0 in the order of beginning.
    pub id: u64,
    /// When it began, since the history did.
    pub begun: Duration,
    /// When the answer was there; `None` while it is not.
    pub ended: Option<Duration>,
    /// What was asked.
    pub asked: Asked,
    /// What was told; unknown while it has not ended.
    pub told: Told,
}

/// What an answer shows of a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sight {
    Waiting,
    Called,
    Active,
    Gone,
}

impl Sight {
    /// Whether the number has been called.
    pub(super) fn is_called(self) -> bool {
        matches!(self, Self::Called | Self::Active)
    }
}

impl Asked {
    /// Who asked.
    #[must_use]
    pub fn user(self) -> UserId {
        match self {
            Self::Join { user }
            | Self::FindAgain { user }
            | Self::Ask { user, .. }
            | Self::Admit { user, .. }
            | Self::Leave { user, .. } => user,
        }
    }

    /// The number asked with.
    pub(super) fn number(self) -> Option<QueueNumber> {
        match self {
            Self::Join { .. } | Self::FindAgain { .. } => None,
            Self::Ask { number, .. } | Self::Admit { number, .. } | Self::Leave { number, .. } => {
                Some(number)
            }
        }
    }

    /// The kind in one word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Ask { .. } => "ask",
            Self::Admit { .. } => "admit",
            Self::Leave { .. } => "leave",
            Self::FindAgain { .. } => "find-again",
        }
    }
}

impl Told {
    /// The kind in one word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Waiting { .. } => "waiting",
            Self::Called => "called",
            Self::Active => "active",
            Self::Gone => "gone",
            Self::LetIn { .. } => "let-in",
            Self::NotYet => "not-yet",
            Self::Left => "left",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl Record {
    /// The latest moment at which the answer can have been there.
    pub(super) fn over(&self) -> Duration {
        self.ended.unwrap_or(Duration::MAX)
    }

    /// The latest moment at which the step can have taken place, if it did.
    pub(super) fn done_by(&self) -> Duration {
        if self.told == Told::Unknown { Duration::MAX } else { self.over() }
    }

    pub(super) fn is_join(&self) -> bool {
        matches!(self.asked, Asked::Join { .. } | Asked::FindAgain { .. })
    }

    /// The number a join was told.
    pub(super) fn number_told(&self) -> Option<QueueNumber> {
        if let Told::Number { number, .. } = self.told {
            Some(number).filter(|_| self.is_join())
        } else {
            None
        }
    }

    /// The place it is about, if one is known.
    pub(super) fn place(&self) -> Option<(QueueNumber, UserId)> {
        let number = self.asked.number().or_else(|| self.number_told())?;
        Some((number, self.asked.user()))
    }

    /// What it shows of its place.
    pub(super) fn sight(&self) -> Option<Sight> {
        match (self.asked, self.told) {
            (Asked::Ask { .. }, Told::Waiting { .. }) | (Asked::Admit { .. }, Told::NotYet) => {
                Some(Sight::Waiting)
            }
            (Asked::Ask { .. }, Told::Called) => Some(Sight::Called),
            (Asked::Ask { .. }, Told::Active) | (Asked::Admit { .. }, Told::LetIn { .. }) => {
                Some(Sight::Active)
            }
            (Asked::Ask { .. } | Asked::Admit { .. } | Asked::Leave { .. }, Told::Gone) => {
                Some(Sight::Gone)
            }
            _ => None,
        }
    }

    /// The position an ask was told.
    pub(super) fn position_told(&self) -> Option<u64> {
        if let (Asked::Ask { .. }, Told::Waiting { position }) = (self.asked, self.told) {
            Some(position)
        } else {
            None
        }
    }

    /// How long from its answer on an admit was let in.
    pub(super) fn let_in(&self) -> Option<Duration> {
        if let (Asked::Admit { .. }, Told::LetIn { until_after }) = (self.asked, self.told) {
            Some(until_after)
        } else {
            None
        }
    }

    /// Whether the place may have been given back by it.
    pub(super) fn may_give_back(&self) -> bool {
        matches!((self.asked, self.told), (Asked::Leave { .. }, Told::Left | Told::Unknown))
    }

    /// Whether the call may have been claimed by it.
    pub(super) fn may_claim(&self) -> bool {
        matches!((self.asked, self.told), (Asked::Admit { .. }, Told::LetIn { .. } | Told::Unknown))
    }

    /// Whether the answer is one to what was asked.
    pub(super) fn fits(&self) -> bool {
        matches!(
            (self.asked, self.told),
            (_, Told::Refused | Told::Unknown)
                | (Asked::Join { .. } | Asked::FindAgain { .. }, Told::Number { .. })
                | (
                    Asked::Ask { .. },
                    Told::Waiting { .. } | Told::Called | Told::Active | Told::Gone
                )
                | (Asked::Admit { .. }, Told::LetIn { .. } | Told::NotYet | Told::Gone)
                | (Asked::Leave { .. }, Told::Left | Told::Gone)
        )
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join { user } => write!(f, "user {user} joins"),
            Self::Ask { user, number } => {
                write!(f, "user {user} asks where number {number} stands")
            }
            Self::Admit { user, number } => write!(f, "user {user} goes in with number {number}"),
            Self::Leave { user, number } => write!(f, "user {user} gives number {number} back"),
            Self::FindAgain { user } => write!(f, "user {user} is looked for"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { number, rejoined: false } => write!(f, "number {number}"),
            Self::Number { number, rejoined: true } => write!(f, "number {number}, as before"),
            Self::Waiting { position } => write!(f, "waiting at position {position}"),
            Self::LetIn { until_after } => write!(f, "let in for {until_after:?}"),
            Self::Called
            | Self::Active
            | Self::Gone
            | Self::NotYet
            | Self::Left
            | Self::Refused
            | Self::Unknown => f.write_str(self.word()),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, begun, ended, asked, told } = self;
        match ended {
            Some(ended) => write!(f, "op {id}, from {begun:?} to {ended:?}: {asked}: {told}"),
            None => write!(f, "op {id}, from {begun:?}, never ended: {asked}: {told}"),
        }
    }
}
