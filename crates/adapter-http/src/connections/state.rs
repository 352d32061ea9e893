//! What one connection is doing: whose turn it is, since when, and what it may send now.
//!
//! A connection is used by one thread. Its state is shared by the stream, by the requests that came
//! over it, and by the worker that looks through all of its connections.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use super::Limits;
use super::chunks::Chunks;
use super::clock::Clock;
use super::counts::Reason;

/// A new connection has so long to ask something, in milliseconds, before it may be shed.
const NEWCOMER_MS: u64 = 1_000;

/// Added to the rank of an incomplete body: a day, longer than any connection is idle.
const UNFINISHED_MS: u64 = 86_400_000;

/// The body that follows a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    /// None.
    Absent,
    /// So many bytes are still to come.
    Sized(u64),
    /// It says itself where it ends.
    Chunked(Chunks),
}

impl Body {
    /// A body in chunks of which nothing has come.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunks::START);

    /// Whether nothing more of it is to come.
    fn is_complete(self) -> bool {
        matches!(self, Self::Absent | Self::Sized(0) | Self::Chunked(Chunks::Done))
    }

    /// What is to come after these bytes, and how many of them belong to it.
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

/// What a connection that waits for its client waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    /// The first byte of a request.
    Request,
    /// The end of a head.
    Head,
    /// The end of a body whose request was answered already.
    Rest,
}

/// How much may be handed over to the HTTP library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Nothing: it is busy with what it has.
    Nothing,
    /// Bytes up to the next blank line, which may be the end of a head.
    UpToBlankLine,
    /// Bytes up to the end of a body.
    Body,
}

/// Whom the other side keeps waiting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// The service works on a request.
    Ours,
    /// The client is to do something, since that moment; else the connection ends for that reason.
    Theirs(Reason, u64),
}

/// The end of the bytes handed over so far, as far as a blank line may begin there.
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
    /// Where it is in its worker's list.
    pub(super) index: Cell<usize>,
    /// When it began to wait for what it waits for now.
    since: Cell<u64>,
    expected: Cell<Expected>,
    /// Whether a handler works on a request.
    in_flight: Cell<bool>,
    body: Cell<Body>,
    /// Whether it ever had a request.
    asked: Cell<bool>,
    /// Whether a head was handed over that may not be dealt with yet.
    has_head: Cell<bool>,
    /// Whether what is written now answers a request.
    answers: Cell<bool>,
    /// Whether the client does not take what is written.
    blocked: Cell<bool>,
    tail: Cell<Tail>,
    /// Why it has to end.
    ending: Cell<Option<Reason>>,
    /// What the HTTP library found wrong with it.
    fault: Cell<Option<Reason>>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    /// One that has just been accepted.
    pub(super) fn new(clock: Rc<Clock>) -> Self {
        Self {
            since: Cell::new(clock.now()),
            clock,
            index: Cell::new(0),
            expected: Cell::new(Expected::Head),
            in_flight: Cell::new(false),
            body: Cell::new(Body::Absent),
            asked: Cell::new(false),
            has_head: Cell::new(false),
            answers: Cell::new(false),
            blocked: Cell::new(false),
            tail: Cell::new(Tail::Fresh),
            ending: Cell::new(None),
            fault: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// The time to give to what follows.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// A request begins: its head was the last that was handed over.
    pub(super) fn begin(&self, body: Body) {
        self.in_flight.set(true);
        self.asked.set(true);
        self.answers.set(true);
        self.body.set(body);
        self.since.set(self.now());
    }

    /// The handler is done with it.
    pub(super) fn end(&self, now: u64) {
        let all_came = self.body.replace(Body::Absent).is_complete();
        self.in_flight.set(false);
        self.expected.set(if all_came { Expected::Request } else { Expected::Rest });
        self.since.set(now);
    }

    /// What may be handed over now.
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

    /// How many of these bytes may be handed over now; as many are taken to have been.
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

    /// The client took less than it was given.
    pub(super) fn block(&self, now: u64) {
        if !self.blocked.replace(true) {
            self.since.set(now);
        }
    }

    /// Whether the client does not take what is written.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// Everything was written. Called as well when there was nothing to write.
    pub(super) fn flushed(&self, now: u64) {
        if self.blocked.replace(false) {
            self.since.set(now);
        }
        if !self.in_flight.get() {
            self.has_head.set(false);
            self.answers.set(false);
        }
    }

    /// Whether what is written now answers a request: else the HTTP library speaks for itself.
    pub(super) fn answers(&self) -> bool {
        self.answers.get()
    }

    /// Whether a head that has begun can still be refused with 408: nothing has been answered to it.
    pub(super) fn owes_a_head(&self) -> bool {
        let is_quiet = !self.in_flight.get() && !self.blocked.get() && !self.answers.get();
        is_quiet && self.asked.get() && self.expected.get() == Expected::Head
    }

    /// Whose turn it is.
    pub(super) fn turn(&self) -> Turn {
        let reason = match (self.blocked.get(), self.in_flight.get(), self.expected.get()) {
            (true, ..) => Reason::Answer,
            (false, true, _) => return Turn::Ours,
            (false, false, Expected::Request) => Reason::Idle,
            (false, false, Expected::Head | Expected::Rest) => Reason::Request,
        };
        Turn::Theirs(reason, self.since.get())
    }

    /// Why it should end by now, if it should. `slack` is how old a time may be that it was given.
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

    /// Its rank for shedding, the highest first: the milliseconds for which its client has kept it
    /// waiting. Before the first request they count tenfold, so that clients that only connect do
    /// not displace clients that have sent requests. A body that is incomplete after a second ranks
    /// above every idle connection, even if it drips, and whether its request was answered or not. `None` is never shed.
    pub(super) fn idleness(&self, now: u64) -> Option<u64> {
        let is_rest = !self.in_flight.get() && self.expected.get() == Expected::Rest;
        let lacks_body = is_rest || self.in_flight.get() && !self.body.get().is_complete();
        if self.ending.get().is_some() || self.turn() == Turn::Ours && !lacks_body {
            return None;
        }
        let waited = now.saturating_sub(self.since.get());
        match (lacks_body, self.asked.get()) {
            (false, true) => Some(waited),
            (_, _) if waited < NEWCOMER_MS => None,
            (true, _) => Some(waited.saturating_add(UNFINISHED_MS)),
            (false, false) => Some(waited.saturating_mul(10)),
        }
    }

    /// It has to end; its task is woken to see to that. The first reason stays.
    pub(super) fn finish(&self, reason: Reason) {
        if self.ending.get().is_none() {
            self.ending.set(Some(reason));
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Why it has to end, if it has to.
    pub(super) fn ending(&self) -> Option<Reason> {
        self.ending.get()
    }

    /// The HTTP library found this wrong with it, and will end it.
    pub(super) fn has_fault(&self, reason: Reason) {
        self.fault.set(Some(reason));
    }

    /// Why it ended, now that it has.
    pub(super) fn ended(&self, limits: &Limits, slack: u64, now: u64) -> Reason {
        let by_itself = || {
            // The HTTP library closes what is idle as well, by a clock of its own.
            let Turn::Theirs(Reason::Idle, since) = self.turn() else { return Reason::Done };
            let waited = u128::from(now.saturating_sub(since).saturating_add(slack));
            if waited >= limits.idle.as_millis() { Reason::Idle } else { Reason::Done }
        };
        self.ending.get().or(self.fault.get()).unwrap_or_else(by_itself)
    }

    /// Remembers the task to wake.
    pub(super) fn remember(&self, cx: &Context<'_>) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *known = Some(cx.waker().clone());
        }
    }
}

/// Where the first blank line of these bytes ends. A line ends with a line feed, whether or not a
/// carriage return stands before it.
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

/// The tail once these bytes, which hold no blank line, have been handed over as well.
fn tail_after(tail: Tail, bytes: &[u8]) -> Tail {
    match (tail, bytes) {
        (tail, []) => tail,
        (Tail::Feed, [b'\r']) | (_, [.., b'\n', b'\r']) => Tail::FeedReturn,
        // An empty line in front of a head is none of the head's.
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
        assert_eq!(connection.take(&ahead, 0), 0, "it may not have been dealt with");
        connection.begin(Body::Absent);
        connection.flushed(0);
        assert_eq!(connection.wanted(), Wanted::Nothing, "while a handler works");
        connection.end(0);
        connection.block(0);
        assert_eq!(connection.wanted(), Wanted::Nothing, "while an answer is not taken");
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
    fn a_body_comes_to_its_end_and_no_further() {
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
    fn a_head_has_its_time_from_its_first_byte_whichever_it_is() {
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
    fn an_idle_connection_has_its_own_time() {
        let connection = since(0);
        connection.take(HEAD, 0);
        answered(&connection, 1_000);
        assert_eq!(connection.overdue(&LIMITS, 500, 76_499), None);
        assert_eq!(connection.overdue(&LIMITS, 500, 76_500), Some(Reason::Idle));
        assert_eq!(connection.ended(&LIMITS, 500, 75_500), Reason::Idle, "closed by the library");
        assert_eq!(connection.ended(&LIMITS, 500, 75_000), Reason::Done);
    }

    #[test]
    fn our_own_slowness_ends_nothing() {
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
    fn a_body_that_does_not_come_whole_is_more_dispensable_than_an_idle_connection() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::Sized(3));
        connection.take(b"1", 900);
        assert_eq!(connection.idleness(NEWCOMER_MS - 1), None, "it may come yet");
        assert_eq!(connection.idleness(NEWCOMER_MS), Some(NEWCOMER_MS + UNFINISHED_MS));
    }

    #[test]
    fn the_rest_of_a_body_has_its_time_after_the_answer() {
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
    fn a_chunked_body_that_came_leaves_an_idle_connection() {
        let connection = since(0);
        connection.take(HEAD, 0);
        connection.begin(Body::CHUNKED);
        connection.take(b"0\r\n", 0);
        connection.take(b"\r\n", 0);
        connection.end(7_000);
        assert_eq!(connection.turn(), Turn::Theirs(Reason::Idle, 7_000));
    }

    #[test]
    fn an_answer_has_its_time_from_when_it_is_not_taken() {
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
            "a byte now and then"
        );
        connection.flushed(11_500);
        assert_eq!(connection.turn(), Turn::Theirs(Reason::Idle, 11_500));
    }

    #[test]
    fn whoever_never_asked_is_more_dispensable_than_whoever_has() {
        let (silent, asked) = (since(9_000), since(0));
        asked.take(HEAD, 0);
        answered(&asked, 1_000);
        assert!(silent.idleness(10_000) > asked.idleness(10_000));
        assert!(silent.idleness(9_100) < asked.idleness(9_100), "it gets its moment to ask");
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
