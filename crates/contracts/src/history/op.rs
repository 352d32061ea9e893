//! One op: its invocation, its response, and its times.

use std::fmt;
use std::time::Duration;

use domain::queue::{QueueNumber, UserId};

/// The invocation of an op.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Invocation {
    /// Joins the queue.
    Join {
        /// The user.
        user: UserId,
    },
    /// Requests the status of a place.
    Ask {
        /// The user that holds the place.
        user: UserId,
        /// Its number.
        number: QueueNumber,
    },
    /// Requests admission, which claims the call.
    Admit {
        /// The user that holds the place.
        user: UserId,
        /// Its number.
        number: QueueNumber,
    },
    /// Leaves the queue.
    Leave {
        /// The user that holds the place.
        user: UserId,
        /// Its number.
        number: QueueNumber,
    },
    /// Joins after all faults are over, to find out whether the place was lost.
    FindAgain {
        /// The user.
        user: UserId,
    },
}

/// The response to an invocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Completion {
    /// A join returned a number.
    Number {
        /// The number.
        number: QueueNumber,
        /// Whether the response said that the user held the number before. Recorded for the reader
        /// only: the checks do not use it, since some responses omit it.
        rejoined: bool,
    },
    /// The place is not called yet.
    Waiting {
        /// The number of people ahead, plus one.
        position: u64,
    },
    /// The place is called and not claimed yet.
    Called,
    /// The place has a session.
    Active,
    /// The place has ended; a status request, an admission or a leave can return this.
    Gone,
    /// The user was admitted.
    LetIn {
        /// The longest time for which the session can last from the response on: the remaining time
        /// in the response, or the length of a session. If a session can be shorter, use the
        /// shorter time: the limit is checked as if no session ended earlier.
        until_after: Duration,
    },
    /// Admission was refused because the place is not called yet.
    NotYet,
    /// The user left.
    Left,
    /// The request was refused and certainly had no effect.
    Refused,
    /// A timeout, a lost connection or an error of the service. The request may have taken effect,
    /// may not have, or may still do so.
    Unknown,
}

/// A recorded op.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// The index of the op, counting from 0 in order of begin.
    pub id: u64,
    /// When the op began, since the start of the history.
    pub begun: Duration,
    /// When the response arrived; `None` until then.
    pub ended: Option<Duration>,
    /// The invocation.
    pub requested: Invocation,
    /// The response; unknown until the op ends.
    pub reported: Completion,
}

/// The status of a place that a response shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Observation {
    Waiting,
    Called,
    Active,
    Gone,
}

impl Observation {
    /// Whether the number has been called.
    pub(super) fn is_called(self) -> bool {
        matches!(self, Self::Called | Self::Active)
    }
}

impl Invocation {
    /// The user that made the call.
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

    /// The number in the invocation.
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

impl Completion {
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
    /// The latest moment at which the response can have arrived.
    pub(super) fn over(&self) -> Duration {
        self.ended.unwrap_or(Duration::MAX)
    }

    /// The latest moment at which the step can have taken effect, if it did.
    pub(super) fn done_by(&self) -> Duration {
        if self.reported == Completion::Unknown { Duration::MAX } else { self.over() }
    }

    pub(super) fn is_join(&self) -> bool {
        matches!(self.requested, Invocation::Join { .. } | Invocation::FindAgain { .. })
    }

    /// The number that a join returned.
    pub(super) fn reported_number(&self) -> Option<QueueNumber> {
        if let Completion::Number { number, .. } = self.reported {
            Some(number).filter(|_| self.is_join())
        } else {
            None
        }
    }

    /// The place of this op, if its number is known.
    pub(super) fn place(&self) -> Option<(QueueNumber, UserId)> {
        let number = self.requested.number().or_else(|| self.reported_number())?;
        Some((number, self.requested.user()))
    }

    /// The status of the place that this op shows.
    pub(super) fn observation(&self) -> Option<Observation> {
        match (self.requested, self.reported) {
            (Invocation::Ask { .. }, Completion::Waiting { .. })
            | (Invocation::Admit { .. }, Completion::NotYet) => Some(Observation::Waiting),
            (Invocation::Ask { .. }, Completion::Called) => Some(Observation::Called),
            (Invocation::Ask { .. }, Completion::Active)
            | (Invocation::Admit { .. }, Completion::LetIn { .. }) => Some(Observation::Active),
            (
                Invocation::Ask { .. } | Invocation::Admit { .. } | Invocation::Leave { .. },
                Completion::Gone,
            ) => Some(Observation::Gone),
            _ => None,
        }
    }

    /// The position that a status request returned.
    pub(super) fn reported_position(&self) -> Option<u64> {
        if let (Invocation::Ask { .. }, Completion::Waiting { position }) =
            (self.requested, self.reported)
        {
            Some(position)
        } else {
            None
        }
    }

    /// The session time that an admission returned.
    pub(super) fn admission_time(&self) -> Option<Duration> {
        if let (Invocation::Admit { .. }, Completion::LetIn { until_after }) =
            (self.requested, self.reported)
        {
            Some(until_after)
        } else {
            None
        }
    }

    /// Whether this op may have released the place.
    pub(super) fn may_release(&self) -> bool {
        matches!(
            (self.requested, self.reported),
            (Invocation::Leave { .. }, Completion::Left | Completion::Unknown)
        )
    }

    /// Whether this op may have claimed the call.
    pub(super) fn may_claim(&self) -> bool {
        matches!(
            (self.requested, self.reported),
            (Invocation::Admit { .. }, Completion::LetIn { .. } | Completion::Unknown)
        )
    }

    /// Whether the response is possible for the invocation.
    pub(super) fn fits(&self) -> bool {
        matches!(
            (self.requested, self.reported),
            (_, Completion::Refused | Completion::Unknown)
                | (
                    Invocation::Join { .. } | Invocation::FindAgain { .. },
                    Completion::Number { .. }
                )
                | (
                    Invocation::Ask { .. },
                    Completion::Waiting { .. }
                        | Completion::Called
                        | Completion::Active
                        | Completion::Gone
                )
                | (
                    Invocation::Admit { .. },
                    Completion::LetIn { .. } | Completion::NotYet | Completion::Gone
                )
                | (Invocation::Leave { .. }, Completion::Left | Completion::Gone)
        )
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join { user } => write!(f, "user {user} joins"),
            Self::Ask { user, number } => {
                write!(f, "user {user} requests the status of number {number}")
            }
            Self::Admit { user, number } => write!(f, "user {user} enters with number {number}"),
            Self::Leave { user, number } => write!(f, "user {user} leaves with number {number}"),
            Self::FindAgain { user } => write!(f, "user {user} joins after the faults"),
        }
    }
}

impl fmt::Display for Completion {
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
        let Self { id, begun, ended, requested, reported } = self;
        match ended {
            Some(ended) => {
                write!(f, "op {id}, from {begun:?} to {ended:?}: {requested}: {reported}")
            }
            None => write!(f, "op {id}, from {begun:?}, never ended: {requested}: {reported}"),
        }
    }
}
