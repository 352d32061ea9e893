//! The state of one connection: which side it waits for, since when, and how much may be read now.
//!
//! One thread uses a connection. Its state is shared by the stream, by the requests that arrived
//! over it, and by the worker that sweeps all of its connections.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use super::Limits;
use super::chunks::Chunks;
use super::clock::Clock;
use super::counts::Reason;

/// Time a connection has to send its first request or to complete a body before it may be shed, in
/// milliseconds.
const NEWCOMER_MS: u64 = 1_000;

/// Added to the idleness of an incomplete body: a day, which is longer than any connection is idle.
const UNFINISHED_MS: u64 = 86_400_000;

/// The body that follows a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    /// None.
    Absent,
    /// A body with this many bytes left.
    Sized(u64),
    /// A chunked body.
    Chunked(Chunks),
}

impl Body {
    /// A chunked body before its first byte.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunks::START);

    /// Whether the body was read completely.
    fn is_complete(self) -> bool {
        matches!(self, Self::Absent | Self::Sized(0) | Self::Chunked(Chunks::Done))
    }

    /// Returns the body left after these bytes, and how many of them belong to it.
    fn after(self, bytes: &[u8]) -> (Self, usize) {
        match self {
            Self::Absent => (Self::Absent, 0),
            Self::Sized(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                (Self::Sized(left - count as u64), count)
            }
            Self::Chunked(chunks) => {
                let (chunks, count) = chunks.after(bytes);
                (Self::Chunked(chunks), count)
            }
        }
    }
}

/// The input a connection expects from its client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    /// The first byte of a request.
    Request,
    /// The end of a head.
    Head,
    /// The end of a body whose request was already answered.
    Rest,
}

/// The input that may be handed to the HTTP library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Nothing: it is busy.
    Nothing,
    /// Bytes up to the next blank line, which may be the end of a head.
    UpToBlankLine,
    /// Bytes up to the end of a body.
    Body,
}

/// The side that has to act next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// The service, which handles a request.
    Ours,
    /// The client, since this moment. If it takes too long, the connection ends for this reason.
    Theirs(Reason, u64),
}

/// The end of the bytes handed over so far, to recognise a blank line across reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tail {
    /// At the start of a head or just after a blank line.
    Fresh,
    /// Within a line.
    Line,
    /// After a line feed.
    Feed,
    /// After a line feed and a carriage return.
    FeedReturn,
}

/// The state of one connection. Times are milliseconds of the worker's clock.
#[derive(Debug)]
pub(crate) struct Connection {
    clock: Rc<Clock>,
    /// Index in the worker's list.
    pub(super) index: Cell<usize>,
    /// When the current wait began.
    since: Cell<u64>,
    expected: Cell<Expected>,
    /// Whether a request is in flight.
    in_flight: Cell<bool>,
    body: Cell<Body>,
    /// Whether a request ever arrived.
    requested: Cell<bool>,
    /// Whether a head was handed over that the HTTP library may not have processed yet.
    has_head: Cell<bool>,
    /// Whether the bytes written now belong to the response to a request.
    answers: Cell<bool>,
    /// Whether a write is blocked because the client does not read.
    blocked: Cell<bool>,
    tail: Cell<Tail>,
    /// Why the connection has to end.
    ending: Cell<Option<Reason>>,
    /// The fault for which the HTTP library refused the input.
    fault: Cell<Option<Reason>>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    /// Creates the state of a connection that was just accepted.
    pub(super) fn new(clock: Rc<Clock>) -> Self {
        Self {
            since: Cell::new(clock.now()),
            clock,
            index: Cell::new(0),
            expected: Cell::new(Expected::Head),
            in_flight: Cell::new(false),
            body: Cell::new(Body::Absent),
            requested: Cell::new(false),
            has_head: Cell::new(false),
            answers: Cell::new(false),
            blocked: Cell::new(false),
            tail: Cell::new(Tail::Fresh),
            ending: Cell::new(None),
            fault: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// The time to pass to the methods below.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Begins a request, whose head was the last one handed over.
    pub(super) fn begin(&self, body: Body) {
        self.in_flight.set(true);
        self.requested.set(true);
        self.answers.set(true);
        self.body.set(body);
        self.since.set(self.now());
    }

    /// Ends a request whose handler has finished.
    pub(super) fn end(&self, now: u64) {
        let all_came = self.body.replace(Body::Absent).is_complete();
        self.in_flight.set(false);
        self.expected.set(if all_came { Expected::Request } else { Expected::Rest });
        self.since.set(now);
    }

    /// The input that may be handed over now.
    pub(super) fn wanted(&self) -> Wanted {
        if self.blocked.get() {
            return Wanted::Nothing;
        }
        match (self.in_flight.get(), self.has_head.get()) {
            (true, _) if self.body.get().is_complete() => Wanted::Nothing,
            (true, _) => Wanted::Body,
            (false, true) => Wanted::Nothing,
            (false, false) => Wanted::UpToBlankLine,
        }
    }

    /// Returns how many of these bytes may be handed over now, and records them as handed over.
    pub(super) fn take(&self, bytes: &[u8], now: u64) -> usize {
        match self.wanted() {
            Wanted::Nothing => 0,
            Wanted::Body => {
                let (body, count) = self.body.get().after(bytes);
                self.body.set(body);
                count
            }
            Wanted::UpToBlankLine => {
                if self.expected.get() == Expected::Request {
                    self.expected.set(Expected::Head);
                    self.since.set(now);
                }
                self.take_up_to_blank_line(bytes)
            }
        }
    }

    fn take_up_to_blank_line(&self, bytes: &[u8]) -> usize {
        let Some(count) = end_of_blank_line(self.tail.get(), bytes) else {
            self.tail.set(tail_after(self.tail.get(), bytes));
            return bytes.len();
        };
        self.tail.set(Tail::Fresh);
        self.has_head.set(true);
        count
    }

    /// Records that a write blocked.
    pub(super) fn block(&self, now: u64) {
        if !self.blocked.replace(true) {
            self.since.set(now);
        }
    }

    /// Whether a write is blocked because the client does not read.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// Records that everything was written. Also called if there was nothing to write.
    pub(super) fn flushed(&self, now: u64) {
        if self.blocked.replace(false) {
            self.since.set(now);
        }
        if !self.in_flight.get() {
            self.has_head.set(false);
            self.answers.set(false);
        }
    }

    /// Whether the bytes written now belong to the response to a request. Otherwise the HTTP
    /// library has written a response of its own.
    pub(super) fn answers(&self) -> bool {
        self.answers.get()
    }

    /// Whether an incomplete head can still be refused with 408, because nothing was written for
    /// it.
    pub(super) fn owes_a_head(&self) -> bool {
        let is_quiet = !self.in_flight.get() && !self.blocked.get() && !self.answers.get();
        is_quiet && self.requested.get() && self.expected.get() == Expected::Head
    }

    /// The side that has to act next, and since when.
    pub(super) fn turn(&self) -> Turn {
        let reason = match (self.blocked.get(), self.in_flight.get(), self.expected.get()) {
            (true, ..) => Reason::Answer,
            (false, true, _) => return Turn::Ours,
            (false, false, Expected::Request) => Reason::Idle,
            (false, false, Expected::Head | Expected::Rest) => Reason::Request,
        };
        Turn::Theirs(reason, self.since.get())
    }

    /// Returns why the connection is overdue, if it is. `slack` is how stale the recorded times may
    /// be.
    pub(super) fn overdue(&self, limits: &Limits, slack: u64, now: u64) -> Option<Reason> {
        let Turn::Theirs(reason, since) = self.turn() else { return None };
        let limit = match reason {
            Reason::Answer => limits.answer,
            Reason::Idle => limits.idle,
            Reason::Done | Reason::Request | Reason::Shed | Reason::Malformed | Reason::Address => {
                limits.head
            }
        };
        let waited = u128::from(now.saturating_sub(since));
        (waited >= limit.as_millis() + u128::from(slack)).then_some(reason)
    }

    /// The rank for shedding, highest first: how long the client has kept the connection waiting,
    /// in milliseconds. The wait counts tenfold before the first request, so that clients that only
    /// connect do not displace clients that have sent requests. A body that is incomplete after a
    /// second ranks above every idle connection, even if it trickles in, whether or not its request
    /// was answered. A connection with `None` is never shed.
    pub(super) fn idleness(&self, now: u64) -> Option<u64> {
        let is_rest = !self.in_flight.get() && self.expected.get() == Expected::Rest;
        let lacks_body = is_rest || self.in_flight.get() && !self.body.get().is_complete();
        if self.ending.get().is_some() || self.turn() == Turn::Ours && !lacks_body {
            return None;
        }
        let waited = now.saturating_sub(self.since.get());
        match (lacks_body, self.requested.get()) {
            (false, true) => Some(waited),
            (_, _) if waited < NEWCOMER_MS => None,
            (true, _) => Some(waited.saturating_add(UNFINISHED_MS)),
            (false, false) => Some(waited.saturating_mul(10)),
        }
    }

    /// Marks the connection to end and wakes its task. The first reason is kept.
    pub(super) fn finish(&self, reason: Reason) {
        if self.ending.get().is_none() {
            self.ending.set(Some(reason));
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Why the connection has to end, if it has to.
    pub(super) fn ending(&self) -> Option<Reason> {
        self.ending.get()
    }

    /// Records the fault for which the HTTP library will close the connection.
    pub(super) fn has_fault(&self, reason: Reason) {
        self.fault.set(Some(reason));
    }

    /// Why the connection ended.
    pub(super) fn ended(&self, limits: &Limits, slack: u64, now: u64) -> Reason {
        let by_itself = || {
            // The HTTP library also closes idle connections, by its own clock.
            let Turn::Theirs(Reason::Idle, since) = self.turn() else { return Reason::Done };
            let waited = u128::from(now.saturating_sub(since).saturating_add(slack));
            if waited >= limits.idle.as_millis() { Reason::Idle } else { Reason::Done }
        };
        self.ending.get().or(self.fault.get()).unwrap_or_else(by_itself)
    }

    /// Registers the task to wake.
    pub(super) fn remember(&self, cx: &Context<'_>) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *known = Some(cx.waker().clone());
        }
    }
}

/// Returns where the first blank line in these bytes ends. A line ends with a line feed, with or
/// without a carriage return before it.
fn end_of_blank_line(tail: Tail, bytes: &[u8]) -> Option<usize> {
    match (tail, bytes) {
        (Tail::Feed | Tail::FeedReturn, [b'\n', ..]) => return Some(1),
        (Tail::Feed, [b'\r', b'\n', ..]) => return Some(2),
        _ => {}
    }
    let mut feeds = memchr::memchr_iter(b'\n', bytes);
    feeds.find_map(|feed| match bytes.get(feed + 1..) {
        Some([b'\n', ..]) => Some(feed + 2),
        Some([b'\r', b'\n', ..]) => Some(feed + 3),
        _ => None,
    })
}

/// The tail after these bytes, which contain no blank line.
fn tail_after(tail: Tail, bytes: &[u8]) -> Tail {
    match (tail, bytes) {
        (tail, []) => tail,
        (Tail::Feed, [b'\r']) | (_, [.., b'\n', b'\r']) => Tail::FeedReturn,
        // An empty line before a head is not part of it.
        (Tail::Fresh, [b'\r']) | (Tail::Fresh, [b'\n'] | [b'\r', b'\n']) => Tail::Fresh,
        (_, [.., b'\n']) => Tail::Feed,
        _ => Tail::Line,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const LIMITS: Limits = Limits {
        head: Duration::from_millis(5_000),
        idle: Duration::from_millis(75_000),
        answer: Duration::from_millis(10_000),
        max_open: 9,
    };

    fn since(now: u64) -> Connection {
        let connection = Connection::new(Rc::new(Clock::new(tokio::time::Instant::now())));
        connection.since.set(now);
        connection
    }

    fn answered(connection: &Connection, now: u64) {
        connection.begin(Body::Absent);
        connection.end(now);
        connection.flushed(now);
    }

    #[test]
    fn one_head_is_handed_over_at_a_time() {
        let connection = since(0);
        let ahead = HEAD.repeat(3);
        assert_eq!(connection.take(&ahead, 0), HEAD.len());
        assert_eq!(connection.take(&ahead, 0), 0, "the first head may not be processed yet");
        connection.begin(Body::Absent);
        connection.flushed(0);
        assert_eq!(connection.wanted(), Wanted::Nothing, "while a request is in flight");
        connection.end(0);
        connection.block(0);
        assert_eq!(connection.wanted(), Wanted::Nothing, "while a write is blocked");
        connection.flushed(0);
        assert_eq!(connection.take(&ahead, 0), HEAD.len());
    }

    #[test]
    fn a_head_ends_at_its_blank_line_however_it_is_cut() {
        for head in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\nHost: x\n\n",
            "GET /\nA: b\n\r\n",
        ] {
            let bytes = [head.as_bytes(), b"GET /next"].concat();
            for cut in 0..head.len() {
                let connection = since(0);
                assert_eq!(connection.take(&bytes[..cut], 0), cut);
                assert_eq!(
                    connection.take(&bytes[cut..], 0),
                    head.len() - cut,
                    "{head:?} at {cut}"
                );
            }
            let connection = since(0);
            for byte in head.as_bytes() {
                assert_eq!(connection.take(&[*byte], 0), 1);
            }
            assert_eq!(connection.wanted(), Wanted::Nothing, "{head:?} byte by byte");
        }
    }

    #[test]
    fn a_body_is_handed_over_to_its_end_and_no_further() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::Sized(5));
        assert_eq!(connection.take(b"\n\n\n", 0), 3);
        assert_eq!(connection.take(b"ab-GET /", 0), 2);
        assert_eq!(connection.wanted(), Wanted::Nothing);

        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::CHUNKED);
        assert_eq!(connection.take(b"2\r\nab\r\n0\r\n\r\nGET /", 0), 12);
        assert_eq!(connection.wanted(), Wanted::Nothing);
    }

    #[test]
    fn the_head_timeout_starts_at_the_first_byte_of_each_head() {
        let connection = since(100);
        assert_eq!(connection.overdue(&LIMITS, 0, 5_099), None);
        assert_eq!(connection.overdue(&LIMITS, 0, 5_100), Some(Reason::Request), "the first one");
        connection.take(HEAD, 4_000);
        answered(&connection, 4_000);
        connection.take(b"GET", 10_000);
        connection.take(b" /", 14_000);
        assert_eq!(connection.overdue(&LIMITS, 0, 14_999), None);
        assert_eq!(connection.overdue(&LIMITS, 0, 15_000), Some(Reason::Request), "the second one");
        assert!(connection.owes_a_head());
    }

    #[test]
    fn an_idle_connection_has_its_own_timeout() {
        let connection = since(0);
        connection.take(HEAD, 0);
        answered(&connection, 1_000);
        assert_eq!(connection.overdue(&LIMITS, 500, 76_499), None);
        assert_eq!(connection.overdue(&LIMITS, 500, 76_500), Some(Reason::Idle));
        assert_eq!(connection.ended(&LIMITS, 500, 75_500), Reason::Idle, "closed by the library");
        assert_eq!(connection.ended(&LIMITS, 500, 75_000), Reason::Done);
    }

    #[test]
    fn a_slow_handler_ends_no_connection() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::Sized(3));
        assert_eq!(connection.turn(), Turn::Ours);
        assert_eq!(connection.overdue(&LIMITS, 0, u64::MAX), None);
        connection.take(b"123", 0);
        assert_eq!(connection.turn(), Turn::Ours);
        assert_eq!(connection.idleness(u64::MAX), None, "and it is never shed");
    }

    #[test]
    fn an_incomplete_body_is_shed_before_an_idle_connection() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::Sized(3));
        connection.take(b"1", 900);
        assert_eq!(connection.idleness(NEWCOMER_MS - 1), None, "it may still arrive");
        assert_eq!(connection.idleness(NEWCOMER_MS), Some(NEWCOMER_MS + UNFINISHED_MS));
    }

    #[test]
    fn the_rest_of_a_body_has_its_timeout_after_the_response() {
        for (body, came) in [(Body::Sized(3), "1"), (Body::CHUNKED, "1"), (Body::CHUNKED, "")] {
            let connection = since(0);
            connection.take(HEAD, 0);
            connection.begin(body);
            connection.take(came.as_bytes(), 0);
            connection.end(7_000);
            connection.flushed(7_000);
            assert_eq!(connection.overdue(&LIMITS, 0, 11_999), None);
            assert_eq!(connection.overdue(&LIMITS, 0, 12_000), Some(Reason::Request), "{body:?}");
            assert!(!connection.owes_a_head(), "it was answered");
            assert_eq!(connection.idleness(7_000 + NEWCOMER_MS), Some(NEWCOMER_MS + UNFINISHED_MS));
        }
    }

    #[test]
    fn a_complete_chunked_body_leaves_an_idle_connection() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::CHUNKED);
        connection.take(b"0\r\n", 0);
        connection.take(b"\r\n", 0);
        connection.end(7_000);
        assert_eq!(connection.turn(), Turn::Theirs(Reason::Idle, 7_000));
    }

    #[test]
    fn the_response_timeout_starts_when_a_write_blocks() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::Absent);
        connection.end(1_000);
        connection.block(2_000);
        connection.block(11_000);
        assert_eq!(connection.overdue(&LIMITS, 0, 11_999), None);
        assert_eq!(
            connection.overdue(&LIMITS, 0, 12_000),
            Some(Reason::Answer),
            "a trickle does not extend it"
        );
        connection.flushed(11_500);
        assert_eq!(connection.turn(), Turn::Theirs(Reason::Idle, 11_500));
    }

    #[test]
    fn connections_without_a_request_are_shed_before_idle_ones() {
        let (silent, requested) = (since(9_000), since(0));
        requested.take(HEAD, 0);
        answered(&requested, 1_000);
        assert!(silent.idleness(10_000) > requested.idleness(10_000));
        assert!(
            silent.idleness(9_100) < requested.idleness(9_100),
            "it has a moment to send a request"
        );
        silent.finish(Reason::Shed);
        assert_eq!(silent.idleness(10_000), None, "it is ending");
        assert_eq!(silent.ended(&LIMITS, 0, 10_000), Reason::Shed);
    }

    #[test]
    fn empty_lines_in_front_of_a_head_do_not_end_it() {
        let connection = since(0);
        assert_eq!(connection.take(b"\r\nGET / HTTP/1.1\r\n\r\nGET", 0), 20);
        let connection = since(0);
        assert_eq!((connection.take(b"\r\n", 0), connection.take(HEAD, 0)), (2, HEAD.len()));
    }
}
