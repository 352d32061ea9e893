//! `[postgres]`: the database and the pool of connections to it.

use adapter_postgres::{Address, PoolSettings, SessionLimits};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, Secret, Span, between, invalid, require};

/// The database.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PostgresSection {
    pub url: Secret,
    pub connect_timeout: Span,
    pub statement_timeout: Span,
    pub lock_timeout: Span,
    pub idle_in_transaction_timeout: Span,
    pub pool: PostgresPoolSection,
}

/// The pool of connections.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PostgresPoolSection {
    pub size: u32,
    pub min_idle: u32,
    pub acquire_timeout: Span,
    pub max_waiting: u32,
    pub idle_timeout: Span,
    pub max_lifetime: Span,
}

impl Default for PostgresSection {
    fn default() -> Self {
        Self {
            url: Secret::new(String::new()),
            // Name resolution, TCP, TLS and password together take some ten milliseconds within a data centre; a lost
            // packet costs TCP a second.
            connect_timeout: Span::secs(2),
            // A question takes about a millisecond. One that takes a second is in trouble, and so is who waits for it.
            statement_timeout: Span::secs(1),
            // Questions only read, and a reader waits for nothing but a change of the schema. Shorter than the statement's
            // limit, so that the log tells the two apart.
            lock_timeout: Span::millis(300),
            // Nothing here leaves a transaction open; should it ever, others wait no longer than this.
            idle_in_transaction_timeout: Span::secs(5),
            pool: PostgresPoolSection::default(),
        }
    }
}

impl Default for PostgresPoolSection {
    fn default() -> Self {
        Self {
            // HikariCP's rule (its wiki, "About Pool Sizing"): twice the cores of the database's machine, and one for
            // each disk. That is 9 for four cores, over all replicas of this program together: more connections make
            // the database slower, not faster.
            size: 10,
            // Enough for the first of a rush while the others are being made.
            min_idle: 2,
            // Ten connections answer 5,000 questions of 2 ms in a second, so a thousand wait 200 ms; more than twice
            // that is a database in trouble.
            acquire_timeout: Span::millis(500),
            max_waiting: 1_000,
            // HikariCP's defaults for both.
            idle_timeout: Span::secs(600),
            max_lifetime: Span::secs(1_800),
        }
    }
}

impl PostgresSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "url",
            meaning: "such as `postgres://user:password@host:5432/database`; with `?sslmode=require` over TLS, the server's certificate verified against the machine's store or the file `SSL_CERT_FILE` names",
        },
        KeyDoc { name: "connect_timeout", meaning: "time to set up a connection, 100ms to 60s" },
        KeyDoc {
            name: "statement_timeout",
            meaning: "time for a statement, after which the server ends it, 10ms to 60s",
        },
        KeyDoc {
            name: "lock_timeout",
            meaning: "time a statement waits for a lock; at most `postgres.statement_timeout`",
        },
        KeyDoc {
            name: "idle_in_transaction_timeout",
            meaning: "time a transaction may do nothing, after which the server ends the connection",
        },
    ];

    /// Checks the values, and the address when there is one.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let between =
            |key: &str, value, least, most| between(&format!("postgres.{key}"), value, least, most);
        between("connect_timeout", self.connect_timeout, Span::millis(100), Span::secs(60))?;
        between("statement_timeout", self.statement_timeout, Span::millis(10), Span::secs(60))?;
        between("lock_timeout", self.lock_timeout, Span::millis(10), self.statement_timeout)?;
        between(
            "idle_in_transaction_timeout",
            self.idle_in_transaction_timeout,
            Span::millis(10),
            Span::secs(600),
        )?;
        self.pool.check()?;
        if self.url.expose().is_empty() { Ok(()) } else { self.address().map(drop) }
    }

    /// The parsed address.
    ///
    /// # Errors
    /// [`ConfigError`] when there is none, or what is there is none.
    pub fn address(&self) -> Result<Address, ConfigError> {
        if self.url.expose().is_empty() {
            return Err(invalid(
                "postgres.url",
                "is needed: postgres://user:password@host:5432/database",
            ));
        }
        Address::parse(self.url.expose()).map_err(|error| invalid("postgres.url", error))
    }

    /// What a session is limited to.
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        SessionLimits {
            connect: self.connect_timeout.0,
            statement: self.statement_timeout.0,
            lock: self.lock_timeout.0,
            idle_in_transaction: self.idle_in_transaction_timeout.0,
        }
    }

    /// The longest a question may take: for a connection, at the server, and on the wire.
    pub(super) fn longest_answer(&self) -> Span {
        Span(self.pool.acquire_timeout.0 + self.limits().answer())
    }
}

impl PostgresPoolSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "size",
            meaning: "connections, at most, 1 to 1000; times the replicas of this program about twice the cores of the database",
        },
        KeyDoc {
            name: "min_idle",
            meaning: "idle connections kept ready; at most `postgres.pool.size`",
        },
        KeyDoc {
            name: "acquire_timeout",
            meaning: "how long a question waits for a connection before it is refused with 503, 10ms to 10s",
        },
        KeyDoc {
            name: "max_waiting",
            meaning: "questions that wait for a connection, at most, up to 100000; the next one is refused at once",
        },
        KeyDoc {
            name: "idle_timeout",
            meaning: "an unused connection is closed after this, from 1s on",
        },
        KeyDoc {
            name: "max_lifetime",
            meaning: "a connection is replaced after this, from 1s on; some seconds less than anything between closes it",
        },
    ];

    fn check(&self) -> Result<(), ConfigError> {
        require((1..=1_000).contains(&self.size), "postgres.pool.size", "must be from 1 to 1000")?;
        require(
            self.min_idle <= self.size,
            "postgres.pool.min_idle",
            "must be at most postgres.pool.size",
        )?;
        let waits = (Span::millis(10)..=Span::secs(10)).contains(&self.acquire_timeout);
        require(waits, "postgres.pool.acquire_timeout", "must be from 10ms to 10s")?;
        require(
            self.max_waiting <= 100_000,
            "postgres.pool.max_waiting",
            "must be at most 100000",
        )?;
        require(
            self.idle_timeout >= Span::secs(1),
            "postgres.pool.idle_timeout",
            "must be at least 1s",
        )?;
        require(
            self.max_lifetime >= Span::secs(1),
            "postgres.pool.max_lifetime",
            "must be at least 1s",
        )
    }

    /// What the pool is made with.
    #[must_use]
    pub fn settings(&self) -> PoolSettings {
        PoolSettings {
            size: self.size,
            min_idle: self.min_idle,
            acquire: self.acquire_timeout.0,
            max_waiting: self.max_waiting,
            idle: self.idle_timeout.0,
            lifetime: self.max_lifetime.0,
        }
    }
}
