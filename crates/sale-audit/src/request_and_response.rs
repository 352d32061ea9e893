//! One request of a client and its answer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// Milliseconds since the epoch, by the clock of the clients.
pub(super) type Millis = i64;

/// The kind of request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RequestKind {
    Join,
    Ask,
    Dates,
    Leave,
    Junk,
}

/// The reported state of the place.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum State {
    Waiting,
    Called,
    Active,
    Expired,
}

/// A line of the record.
#[derive(Deserialize)]
pub(super) struct Written<'a> {
    client: u64,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    what: RequestKind,
    user: Option<u64>,
    sent: Millis,
    answered: Millis,
    status: u16,
    #[serde(borrow)]
    pub(super) code: Option<Cow<'a, str>>,
    number: Option<u64>,
    state: Option<State>,
    position: Option<u64>,
    #[serde(default)]
    forged: bool,
    #[serde(default)]
    stale: bool,
}

/// A request without its text, since there may be a million.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) client: u64,
    /// 0 if there is none.
    pub(super) user: u64,
    /// 0 if there is none.
    pub(super) number: u64,
    pub(super) position: Option<u64>,
    pub(super) sent: Millis,
    pub(super) answered: Millis,
    /// An index into the words of the history.
    pub(super) kind: u16,
    /// An index into the words of the history.
    pub(super) code: u16,
    pub(super) status: u16,
    pub(super) what: RequestKind,
    pub(super) state: Option<State>,
    pub(super) is_forged: bool,
    pub(super) is_stale: bool,
    /// It was refused before any work was done.
    pub(super) is_shed: bool,
}

impl Written<'_> {
    /// A call is claimed before the dates request can be refused for lack of room; all other
    /// requests are refused first.
    fn is_shed(&self) -> bool {
        self.what != RequestKind::Dates
            && matches!(self.code.as_deref(), Some("OVERLOADED" | "LINE_FULL"))
    }

    /// Builds the record, or names the required field that the line lacks.
    pub(super) fn record(&self, kind: u16, code: u16) -> Result<Exchange, &'static str> {
        let record = Exchange {
            client: self.client,
            user: self.user.unwrap_or_default(),
            number: self.number.unwrap_or_default(),
            position: self.position,
            sent: self.sent,
            answered: self.answered,
            kind,
            code,
            status: self.status,
            what: self.what,
            state: self.state,
            is_forged: self.forged,
            is_stale: self.stale,
            is_shed: self.is_shed(),
        };
        record.lack().map_or(Ok(record), Err)
    }
}

impl Exchange {
    fn lack(&self) -> Option<&'static str> {
        let needs_user = !self.is_forged && self.what != RequestKind::Junk;
        let tells_state = self.tells_place();
        let needs_number = tells_state
            || needs_user && matches!(self.what, RequestKind::Dates | RequestKind::Leave);
        if self.answered < self.sent {
            Some("it was answered before it was sent")
        } else if needs_user && self.user == 0 {
            Some("it has no user")
        } else if needs_number && self.number == 0 {
            Some("it has no number")
        } else if tells_state && self.state.is_none() {
            Some("it has no state")
        } else {
            None
        }
    }

    /// From this moment on, the answer's statement about the past was certainly true.
    pub(super) fn by(&self) -> Millis {
        self.answered.saturating_add(1)
    }

    /// Whether this request was over before `other` began.
    pub(super) fn precedes(&self, other: &Self) -> bool {
        self.by() <= other.sent
    }

    /// Whether it is a request of this kind without a forged token, answered with this status.
    pub(super) fn is(&self, what: RequestKind, status: u16) -> bool {
        self.what == what && self.status == status && !self.is_forged
    }

    /// Whether the answer reported a number and its state.
    pub(super) fn tells_place(&self) -> bool {
        self.is(RequestKind::Join, 200) || self.is(RequestKind::Ask, 200)
    }

    /// Whether the answer shows that the number has been called.
    pub(super) fn shows_call(&self) -> bool {
        let is_reported =
            self.tells_place() && matches!(self.state, Some(State::Called | State::Active));
        is_reported || self.is(RequestKind::Dates, 200)
    }

    /// Whether the answer shows that the place had ended.
    pub(super) fn shows_end(&self) -> bool {
        let is_reported = self.tells_place() && self.state == Some(State::Expired);
        is_reported || self.is(RequestKind::Dates, 410) || self.is(RequestKind::Leave, 410)
    }

    /// Whether it may have been executed: only a refusal rules that out.
    pub(super) fn may_be_done(&self) -> bool {
        !self.is_forged && !self.is_shed && !matches!(self.status, 400..=403 | 405..=499)
    }

    /// Whether it got no answer, or was refused for lack of capacity.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.status, 0 | 429 | 500..=599)
    }
}

/// A record with its kind and code as text.
pub(super) struct Quoted<'a> {
    pub(super) record: &'a Exchange,
    pub(super) words: &'a [String],
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exchange { client, user, number, sent, answered, status, .. } = self.record;
        let word = |at: u16| self.words.get(usize::from(at)).map_or("", String::as_str);
        write!(f, "{} client {client}", word(self.record.kind))?;
        write!(f, " {:?} user {user} number {number}: {status}", self.record.what)?;
        if self.record.code != 0 {
            write!(f, " {}", word(self.record.code))?;
        }
        if let Some(state) = self.record.state {
            write!(f, " {state:?}")?;
        }
        if let Some(position) = self.record.position {
            write!(f, " at {position}")?;
        }
        if self.record.is_forged {
            f.write_str(" forged")?;
        }
        write!(f, ", sent {sent}, answered {answered}")
    }
}
