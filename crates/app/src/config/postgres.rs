//! `[postgres]`: the database and the pool of connections to it.

use adapter_postgres::{PoolSettings, Pooler, PostgresAddress, SessionLimits};
use serde::{Deserialize, Serialize};

use super::{ConfigDuration, ConfigError, KeyDoc, Secret, between, invalid, require};

/// The pool mode of a connection pooler between this program and the database.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolerMode {
    /// There is no pooler.
    #[default]
    None,
    /// A client keeps its connection to the server.
    Session,
    /// The connection to the server may change after every transaction.
    Transaction,
}

/// The database.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PostgresSection {
    pub url: Secret,
    pub pooler: PoolerMode,
    pub connect_timeout: ConfigDuration,
    pub statement_timeout: ConfigDuration,
    pub lock_timeout: ConfigDuration,
    pub idle_in_transaction_timeout: ConfigDuration,
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
    pub acquire_timeout: ConfigDuration,
    pub max_waiting: u32,
    pub idle_timeout: ConfigDuration,
    pub max_lifetime: ConfigDuration,
}

impl Default for PostgresSection {
    fn default() -> Self {
        Self {
            url: Secret::new(String::new()),
            pooler: PoolerMode::default(),
            // DNS, TCP, TLS and authentication together take about ten milliseconds within a data
            // centre; a lost packet costs TCP a second.
            connect_timeout: ConfigDuration::secs(2),
            // A query takes about a millisecond. One that takes a second is in trouble, and so is
            // its caller.
            statement_timeout: ConfigDuration::secs(1),
            // All queries only read, and a reader waits only for schema changes. Shorter than the
            // statement timeout, so that the log distinguishes the two.
            lock_timeout: ConfigDuration::millis(300),
            // No code leaves a transaction open. Should one stay open, others wait no longer than
            // this.
            idle_in_transaction_timeout: ConfigDuration::secs(5),
            pool: PostgresPoolSection::default(),
        }
    }
}

impl Default for PostgresPoolSection {
    fn default() -> Self {
        Self {
            // HikariCP's rule (its wiki, "About Pool Sizing"): twice the cores of the database's
            // machine, plus one for each disk. That is 9 for four cores, over all replicas of this
            // program together: more connections make the database slower, not faster.
            size: 10,
            // Enough for the start of a burst while further connections are opened.
            min_idle: 2,
            // Ten connections serve 5,000 queries of 2 ms a second, so a thousand wait 200 ms; a
            // database with more than twice that wait is in trouble.
            acquire_timeout: ConfigDuration::millis(500),
            max_waiting: 1_000,
            // HikariCP's defaults for both.
            idle_timeout: ConfigDuration::secs(600),
            max_lifetime: ConfigDuration::secs(1_800),
        }
    }
}

impl PostgresSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "url",
            meaning: "`postgres://user:password@host:5432/database`; with `?sslmode=require` over TLS, and the server's certificate is verified against the machine's store or the file that `SSL_CERT_FILE` names",
        },
        KeyDoc {
            name: "pooler",
            meaning: "the connection pooler at that address, such as PgBouncer: `none`, or its pool mode, `session` or `transaction`",
        },
        KeyDoc { name: "connect_timeout", meaning: "timeout to open a connection, 100ms to 60s" },
        KeyDoc {
            name: "statement_timeout",
            meaning: "timeout of a statement, after which the server cancels it, 10ms to 60s",
        },
        KeyDoc {
            name: "lock_timeout",
            meaning: "how long a statement waits for a lock; at most `postgres.statement_timeout`",
        },
        KeyDoc {
            name: "idle_in_transaction_timeout",
            meaning: "how long a transaction may be idle before the server closes the connection",
        },
    ];

    /// Validates the values, and the address if it is set.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let between =
            |key: &str, value, least, most| between(&format!("postgres.{key}"), value, least, most);
        between(
            "connect_timeout",
            self.connect_timeout,
            ConfigDuration::millis(100),
            ConfigDuration::secs(60),
        )?;
        between(
            "statement_timeout",
            self.statement_timeout,
            ConfigDuration::millis(10),
            ConfigDuration::secs(60),
        )?;
        between(
            "lock_timeout",
            self.lock_timeout,
            ConfigDuration::millis(10),
            self.statement_timeout,
        )?;
        between(
            "idle_in_transaction_timeout",
            self.idle_in_transaction_timeout,
            ConfigDuration::millis(10),
            ConfigDuration::secs(600),
        )?;
        self.pool.check()?;
        if self.url.expose().is_empty() { Ok(()) } else { self.address().map(drop) }
    }

    /// The parsed address.
    ///
    /// # Errors
    /// [`ConfigError`] if it is missing or invalid.
    pub fn address(&self) -> Result<PostgresAddress, ConfigError> {
        if self.url.expose().is_empty() {
            return Err(invalid(
                "postgres.url",
                "is needed: postgres://user:password@host:5432/database",
            ));
        }
        let address = PostgresAddress::parse(self.url.expose());
        let address = address.map_err(|error| invalid("postgres.url", error))?;
        Ok(address.behind(match self.pooler {
            PoolerMode::None => Pooler::None,
            PoolerMode::Session => Pooler::Session,
            PoolerMode::Transaction => Pooler::Transaction,
        }))
    }

    /// The limits of a session.
    #[must_use]
    pub fn limits(&self) -> SessionLimits {
        SessionLimits {
            connect: self.connect_timeout.0,
            statement: self.statement_timeout.0,
            lock: self.lock_timeout.0,
            idle_in_transaction: self.idle_in_transaction_timeout.0,
        }
    }

    /// The longest duration of a query: waiting for a connection, at the server, and on the
    /// network.
    pub(super) fn longest_query(&self) -> ConfigDuration {
        ConfigDuration(self.pool.acquire_timeout.0 + self.limits().answer())
    }
}

impl PostgresPoolSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "size",
            meaning: "maximum number of connections, 1 to 1000; for all replicas of this program together about twice the cores of the database",
        },
        KeyDoc {
            name: "min_idle",
            meaning: "idle connections kept ready; at most `postgres.pool.size`",
        },
        KeyDoc {
            name: "acquire_timeout",
            meaning: "how long a query waits for a connection before it is refused with 503, 10ms to 10s",
        },
        KeyDoc {
            name: "max_waiting",
            meaning: "maximum queries that wait for a connection, up to 100000; further ones are refused at once",
        },
        KeyDoc {
            name: "idle_timeout",
            meaning: "how long an unused connection is kept, at least 1s",
        },
        KeyDoc {
            name: "max_lifetime",
            meaning: "maximum age of a connection, at least 1s; a few seconds less than any limit of the network between",
        },
    ];

    fn check(&self) -> Result<(), ConfigError> {
        require((1..=1_000).contains(&self.size), "postgres.pool.size", "must be from 1 to 1000")?;
        require(
            self.min_idle <= self.size,
            "postgres.pool.min_idle",
            "must be at most postgres.pool.size",
        )?;
        let waits =
            (ConfigDuration::millis(10)..=ConfigDuration::secs(10)).contains(&self.acquire_timeout);
        require(waits, "postgres.pool.acquire_timeout", "must be from 10ms to 10s")?;
        require(
            self.max_waiting <= 100_000,
            "postgres.pool.max_waiting",
            "must be at most 100000",
        )?;
        require(
            self.idle_timeout >= ConfigDuration::secs(1),
            "postgres.pool.idle_timeout",
            "must be at least 1s",
        )?;
        require(
            self.max_lifetime >= ConfigDuration::secs(1),
            "postgres.pool.max_lifetime",
            "must be at least 1s",
        )
    }

    /// The settings of the pool.
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
