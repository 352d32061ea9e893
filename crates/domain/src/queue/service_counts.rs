//! Counters of the queue service's results on one node.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{QueueError, TokenRejected};
use crate::PortError;

/// The results one node has returned since it started. Each counter only grows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct QueueCounts {
    /// Joins that issued a number.
    pub joined_new: u64,
    /// Joins that found the user's existing place.
    pub joined_again: u64,
    /// Requests refused because the queue is full.
    pub line_full: u64,
    /// Joins refused because no number is reserved in the checkpoint.
    pub not_reserved: u64,
    /// Requests refused because the number is not called yet.
    pub not_yet: u64,
    /// Requests refused because the place is no longer valid.
    pub gone: u64,
    /// Requests refused because the store failed.
    pub store: u64,
    /// Requests refused because this node's view of the queue is stale.
    pub stale_view: u64,
    /// Texts that are not tokens.
    pub malformed: u64,
    /// Tokens of an unsupported version.
    pub unknown_version: u64,
    /// Tokens signed with a key that is not live.
    pub unknown_key: u64,
    /// Tokens with a wrong signature, and places that belong to another user.
    pub bad_signature: u64,
    /// Tokens of another queue.
    pub foreign_queue: u64,
    /// Tokens of this queue's id, of an unknown incarnation.
    pub foreign_incarnation: u64,
}

impl QueueCounts {
    /// Refused requests by reason. The names do not change between versions.
    #[must_use]
    pub fn refused(&self) -> [(&'static str, u64); REASONS] {
        [
            ("line_full", self.line_full),
            ("not_reserved", self.not_reserved),
            ("not_yet", self.not_yet),
            ("gone", self.gone),
            ("store", self.store),
            ("stale_view", self.stale_view),
            ("malformed", self.malformed),
            ("unknown_version", self.unknown_version),
            ("unknown_key", self.unknown_key),
            ("bad_signature", self.bad_signature),
            ("foreign_queue", self.foreign_queue),
            ("foreign_incarnation", self.foreign_incarnation),
        ]
    }
}

/// The number of reasons to refuse a request.
const REASONS: usize = 12;

/// The reason for a refusal, as it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    QueueFull,
    NotReserved,
    NotYet,
    Gone,
    Store,
    StaleView,
    Malformed,
    UnknownVersion,
    UnknownKey,
    BadSignature,
    ForeignQueue,
    ForeignIncarnation,
}

impl Reason {
    fn of(error: &QueueError) -> Self {
        match error {
            QueueError::Forged(TokenRejected::Malformed) => Self::Malformed,
            QueueError::Forged(TokenRejected::UnknownVersion) => Self::UnknownVersion,
            QueueError::Forged(TokenRejected::UnknownKey) => Self::UnknownKey,
            QueueError::Forged(TokenRejected::BadSignature) => Self::BadSignature,
            QueueError::Forged(TokenRejected::ForeignQueue) => Self::ForeignQueue,
            QueueError::Forged(TokenRejected::ForeignIncarnation) => Self::ForeignIncarnation,
            QueueError::NotYet(_) => Self::NotYet,
            QueueError::Gone => Self::Gone,
            QueueError::QueueFull { .. } => Self::QueueFull,
            QueueError::Store(_) => Self::Store,
        }
    }
}

/// A refusal that is not counted yet.
#[derive(Debug)]
pub(super) struct Refusal {
    reason: Reason,
    error: QueueError,
}

impl Refusal {
    /// A refusal that the caller sees as an outage of the store, counted under its own reason.
    pub(super) fn unavailable(reason: Reason, error: PortError) -> Self {
        Self { reason, error: error.into() }
    }
}

impl Refusal {
    /// Whether the refused place was valid once.
    pub(super) fn is_of_the_past(&self) -> bool {
        matches!(self.error, QueueError::Gone)
    }
}

impl<E: Into<QueueError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { reason: Reason::of(&error), error }
    }
}

/// The counters behind [`QueueCounts`]. They have their own cache lines, so that counting does not
/// slow down readers of neighboring fields.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    joined_new: AtomicU64,
    joined_again: AtomicU64,
    refused: [AtomicU64; REASONS],
    people_called: AtomicU64,
}

impl Counters {
    pub(super) fn joined(&self, again: bool) {
        let counter = if again { &self.joined_again } else { &self.joined_new };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal; a success costs nothing.
    pub(super) fn answer<T>(&self, answer: Result<T, Refusal>) -> Result<T, QueueError> {
        answer.map_err(|refusal| {
            self.refused[refusal.reason as usize].fetch_add(1, Ordering::Relaxed);
            refusal.error
        })
    }

    pub(super) fn called(&self, people: u64) {
        self.people_called.fetch_add(people, Ordering::Relaxed);
    }

    pub(super) fn people_called(&self) -> u64 {
        self.people_called.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) -> QueueCounts {
        let refused = |reason: Reason| self.refused[reason as usize].load(Ordering::Relaxed);
        QueueCounts {
            joined_new: self.joined_new.load(Ordering::Relaxed),
            joined_again: self.joined_again.load(Ordering::Relaxed),
            line_full: refused(Reason::QueueFull),
            not_reserved: refused(Reason::NotReserved),
            not_yet: refused(Reason::NotYet),
            gone: refused(Reason::Gone),
            store: refused(Reason::Store),
            stale_view: refused(Reason::StaleView),
            malformed: refused(Reason::Malformed),
            unknown_version: refused(Reason::UnknownVersion),
            unknown_key: refused(Reason::UnknownKey),
            bad_signature: refused(Reason::BadSignature),
            foreign_queue: refused(Reason::ForeignQueue),
            foreign_incarnation: refused(Reason::ForeignIncarnation),
        }
    }
}
