//! How many connections there are, and how others ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection ended, or was not begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// The client ended it, or an answer said that it ends.
    Done,
    /// No request came for as long as an idle connection is kept.
    Idle,
    /// A head, or the rest of a body, did not come in time.
    Request,
    /// An answer was not taken in time.
    Answer,
    /// Others needed its place.
    Shed,
    /// What came was no HTTP.
    Malformed,
    /// Its address has too many, or sent too much that is no HTTP; it was never open.
    Address,
}

impl Reason {
    const ALL: [Self; 7] = [
        Self::Done,
        Self::Idle,
        Self::Request,
        Self::Answer,
        Self::Shed,
        Self::Malformed,
        Self::Address,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Idle => "idle",
            Self::Request => "request_timeout",
            Self::Answer => "answer_timeout",
            Self::Shed => "shed",
            Self::Malformed => "malformed",
            Self::Address => "address",
        }
    }
}

/// What is refused with a bare status before it is a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// 400: no HTTP.
    Malformed,
    /// 408: a head that did not come to its end in time.
    TimedOut,
    /// 431: a head that is too long.
    TooLarge,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::Malformed, Self::TimedOut, Self::TooLarge];

    /// What an answer that begins with these bytes refuses.
    pub(super) fn of(answer: &[u8]) -> Option<Self> {
        match answer.strip_prefix(b"HTTP/1.1 ")?.first_chunk()? {
            b"400" => Some(Self::Malformed),
            b"408" => Some(Self::TimedOut),
            b"431" => Some(Self::TooLarge),
            _ => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Malformed => "400",
            Self::TimedOut => "408",
            Self::TooLarge => "431",
        }
    }
}

/// The connections of one listener, as far as they are counted. Clones are the same.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listener: &'static str,
    limit: usize,
    open: AtomicU64,
    ended: [AtomicU64; Reason::ALL.len()],
    refused: [AtomicU64; Refusal::ALL.len()],
}

/// A snapshot of [`Connections`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectionCounts {
    /// Open now.
    pub open: u64,
    /// Open at most, over all workers.
    pub limit: usize,
    /// Ended since the start of the process, by reason.
    pub ended: Vec<(&'static str, u64)>,
    /// Refused before they were requests, by status.
    pub refused: Vec<(&'static str, u64)>,
}

impl Connections {
    pub(super) fn new(listener: &'static str, limit: usize) -> Self {
        Self(Arc::new(Inner {
            listener,
            limit,
            open: AtomicU64::new(0),
            ended: Default::default(),
            refused: Default::default(),
        }))
    }

    /// The listener they belong to.
    #[must_use]
    pub fn listener(&self) -> &'static str {
        self.0.listener
    }

    /// The counts as of now. Each is exact; together they may be a moment apart.
    #[must_use]
    pub fn counts(&self) -> ConnectionCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { limit, open, ended, refused, .. } = &*self.0;
        ConnectionCounts {
            open: read(open),
            limit: *limit,
            ended: Reason::ALL
                .iter()
                .map(|reason| (reason.label(), read(&ended[*reason as usize])))
                .collect(),
            refused: Refusal::ALL
                .iter()
                .map(|kind| (kind.label(), read(&refused[*kind as usize])))
                .collect(),
        }
    }

    pub(super) fn opened(&self) {
        self.0.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, reason: Reason) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.count(reason);
    }

    /// One that was refused before it was open.
    pub(super) fn turned_away(&self) {
        self.count(Reason::Address);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.0.refused[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All refusals so far.
    pub(super) fn all_refused(&self) -> u64 {
        self.0.refused.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn count(&self, reason: Reason) {
        self.0.ended[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_and_every_refusal_has_a_number_of_its_own() {
        let connections = Connections::new("public", 9);
        for (times, reason) in Reason::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| connections.count(reason));
        }
        for (times, refusal) in Refusal::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| connections.refused(refusal));
        }
        let counts = connections.counts();
        assert_eq!(counts.ended.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(counts.refused, [("400", 1), ("408", 2), ("431", 3)]);
        assert_eq!(connections.all_refused(), 6);
    }

    #[test]
    fn only_the_answers_of_the_http_library_are_refusals() {
        assert_eq!(Refusal::of(b"HTTP/1.1 431 Request Header"), Some(Refusal::TooLarge));
        for other in [&b"HTTP/1.1 100 Continue"[..], b"HTTP/1.1 404 Not Found", b"HTTP/1.1 40", b""]
        {
            assert_eq!(Refusal::of(other), None);
        }
    }
}
