//! A history as text: a first line with the number of ops, then one op per line.
//!
//! ```text
//! history 1 of 2 ops
//! 0 1200 3400 join 17 number 1 fresh
//! 1 3500 - ask 17 1 unknown
//! ```
//!
//! An op consists of its id, begin and end (`-` if it has not ended) in nanoseconds, the invocation
//! and the response.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use domain::queue::{QueueNumber, UserId};

use super::{Completion, History, Invocation, Record};

/// The error for text that is not a valid history.
#[derive(Debug)]
pub struct ReadError {
    line: u64,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Text(&'static str),
}

impl ReadError {
    /// The number of the invalid line, counting from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Io(error) => write!(f, "line {}: {error}", self.line),
            Problem::Text(what) => write!(f, "line {}: {what}", self.line),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            Problem::Text(_) => None,
        }
    }
}

impl History {
    /// Writes all ops so far, including those that have not ended. It makes many small writes, so
    /// pass a buffered writer.
    ///
    /// # Errors
    /// The errors of `target`.
    pub fn write_to(&self, mut target: impl Write) -> io::Result<()> {
        let records = self.records();
        writeln!(target, "history 1 of {} ops", records.len())?;
        for record in &records {
            write_record(&mut target, record)?;
        }
        target.flush()
    }

    /// Reads the output of [`write_to`](Self::write_to). Ops added later begin after the latest
    /// time in it.
    ///
    /// # Errors
    /// [`ReadError`] with the line that cannot be read, is not an op, or is missing.
    pub fn read_from(source: impl BufRead) -> Result<Self, ReadError> {
        let mut lines = Lines { source, line: 0, text: String::new() };
        let count = lines.next(|words| {
            let says = words.next()? == "history" && words.next()? == "1" && words.next()? == "of";
            let count = words.integer()?;
            (says && words.next()? == "ops").then_some(count)
        })?;
        let mut records = Vec::new();
        for id in 0..count {
            let record = lines.next(read_record)?;
            if record.id != id {
                return Err(lines.error("unexpected id"));
            }
            records.push(record);
        }
        lines.finish()?;
        Ok(Self::with(records))
    }
}

fn write_record(target: &mut impl Write, record: &Record) -> io::Result<()> {
    let Record { id, begun, ended, requested, reported } = record;
    write!(target, "{id} {} ", begun.as_nanos())?;
    match ended {
        Some(ended) => write!(target, "{} ", ended.as_nanos())?,
        None => write!(target, "- ")?,
    }
    write!(target, "{} {} ", requested.word(), requested.user())?;
    if let Some(number) = requested.number() {
        write!(target, "{number} ")?;
    }
    write!(target, "{}", reported.word())?;
    match reported {
        Completion::Number { number, rejoined } => {
            write!(target, " {number} {}", if *rejoined { "rejoined" } else { "fresh" })?;
        }
        Completion::Waiting { position } => write!(target, " {position}")?,
        Completion::LetIn { until_after } => write!(target, " {}", until_after.as_nanos())?,
        Completion::Called
        | Completion::Active
        | Completion::Gone
        | Completion::NotYet
        | Completion::Left
        | Completion::Refused
        | Completion::Unknown => {}
    }
    writeln!(target)
}

fn read_record(words: &mut Words<'_>) -> Option<Record> {
    let id = words.integer()?;
    let begun = words.time()?;
    let ended = match words.next()? {
        "-" => None,
        word => Some(time(word)?),
    };
    let record = Record {
        id,
        begun,
        ended,
        requested: read_asked(words)?,
        reported: read_completion(words)?,
    };
    let is_open = record.ended.is_none();
    let is_possible =
        record.begun <= record.over() && (!is_open || record.reported == Completion::Unknown);
    is_possible.then_some(record)
}

fn read_asked(words: &mut Words<'_>) -> Option<Invocation> {
    let kind = words.next()?;
    let user = UserId::parse(words.next()?).ok()?;
    Some(match kind {
        "join" => Invocation::Join { user },
        "ask" => Invocation::Ask { user, number: words.number()? },
        "admit" => Invocation::Admit { user, number: words.number()? },
        "leave" => Invocation::Leave { user, number: words.number()? },
        "find-again" => Invocation::FindAgain { user },
        _ => return None,
    })
}

fn read_completion(words: &mut Words<'_>) -> Option<Completion> {
    Some(match words.next()? {
        "number" => Completion::Number {
            number: words.number()?,
            rejoined: match words.next()? {
                "rejoined" => true,
                "fresh" => false,
                _ => return None,
            },
        },
        "waiting" => Completion::Waiting { position: words.integer()? },
        "called" => Completion::Called,
        "active" => Completion::Active,
        "gone" => Completion::Gone,
        "let-in" => Completion::LetIn { until_after: words.time()? },
        "not-yet" => Completion::NotYet,
        "left" => Completion::Left,
        "refused" => Completion::Refused,
        "unknown" => Completion::Unknown,
        _ => return None,
    })
}

/// A line reader that counts lines.
struct Lines<R> {
    source: R,
    line: u64,
    text: String,
}

impl<R: BufRead> Lines<R> {
    /// Parses the whole next line with `read`.
    fn next<T>(&mut self, read: impl FnOnce(&mut Words<'_>) -> Option<T>) -> Result<T, ReadError> {
        self.advance()?;
        // A line without its end may be truncated.
        if !self.text.ends_with('\n') {
            return Err(self.error("cut off here"));
        }
        let mut words = Words(self.text.split_ascii_whitespace());
        let value = read(&mut words).filter(|_| words.next().is_none());
        value.ok_or_else(|| {
            self.error(if self.line == 1 { "not the header of a history" } else { "not an op" })
        })
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        self.advance()?;
        if self.text.is_empty() {
            Ok(())
        } else {
            Err(self.error("more ops than the first line says"))
        }
    }

    fn advance(&mut self) -> Result<(), ReadError> {
        self.text.clear();
        self.line += 1;
        match self.source.read_line(&mut self.text) {
            Ok(_) => Ok(()),
            Err(error) => Err(ReadError { line: self.line, problem: Problem::Io(error) }),
        }
    }

    fn error(&self, what: &'static str) -> ReadError {
        ReadError { line: self.line, problem: Problem::Text(what) }
    }
}

struct Words<'t>(std::str::SplitAsciiWhitespace<'t>);

impl<'t> Words<'t> {
    fn next(&mut self) -> Option<&'t str> {
        self.0.next()
    }

    fn integer(&mut self) -> Option<u64> {
        self.next()?.parse().ok()
    }

    fn number(&mut self) -> Option<QueueNumber> {
        QueueNumber::new(self.integer()?).ok()
    }

    fn time(&mut self) -> Option<Duration> {
        time(self.next()?)
    }
}

fn time(word: &str) -> Option<Duration> {
    word.parse().ok().map(Duration::from_nanos)
}
