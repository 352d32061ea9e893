//! Counters of open, ended and refused connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection ended or was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// The client closed it, or a response announced its end.
    Done,
    /// No request arrived within the idle timeout.
    Idle,
    /// A head or the rest of a body did not arrive in time.
    Request,
    /// The client did not read a response in time.
    Answer,
    /// It was shed to make room for others.
    Shed,
    /// The client sent malformed HTTP.
    Malformed,
    /// Refused on accept: its address has too many connections or sent too much malformed HTTP.
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

/// A refusal with a bare status, before there is a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// 400: malformed HTTP.
    Malformed,
    /// 408: the head was not complete in time.
    TimedOut,
    /// 431: the head is too long.
    TooLarge,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::Malformed, Self::TimedOut, Self::TooLarge];

    /// Parses the refusal from the first bytes of a response, if it is one.
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

/// Counters of one listener's connections. Clones share them.
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
    /// Maximum over all workers.
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

    /// Reads all counters. Each is exact; together they may be a moment apart.
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

    /// Counts a connection that was refused on accept.
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
    fn every_reason_and_every_refusal_has_its_own_counter() {
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
    fn only_the_statuses_of_the_http_library_are_refusals() {
        assert_eq!(Refusal::of(b"HTTP/1.1 431 Request Header"), Some(Refusal::TooLarge));
        for other in [&b"HTTP/1.1 100 Continue"[..], b"HTTP/1.1 404 Not Found", b"HTTP/1.1 40", b""]
        {
            assert_eq!(Refusal::of(other), None);
        }
    }
}
