//! The database address, parsed from a URL that contains a password.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::pooler::Pooler;

/// A database and the user to connect as. Displays host, port, database and user; never the
/// password.
#[derive(Clone)]
pub struct PostgresAddress {
    config: Config,
    shown: String,
    pooler: Pooler,
}

/// Why a text is not a database address. Does not repeat the text, which may contain a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPostgresAddress {
    /// Not a URL, or one with an unknown option.
    #[error(
        "is not a Postgres URL such as postgres://user:password@host:5432/database \
         (special characters in a password are \
         written like %40 for @)"
    )]
    NotAUrl,
    /// An unsupported TLS mode.
    #[error(
        "has an sslmode other than disable, which is the default, and require, which verifies \
         the server"
    )]
    SslMode,
    /// The URL has no host.
    #[error("names no host")]
    NoHost,
    /// The URL has no user.
    #[error("names no user")]
    NoUser,
    /// The URL has no database.
    #[error("names no database")]
    NoDatabase,
}

/// Closes a connection whose sent bytes stay unacknowledged for this long: the network path is cut.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// Probes an idle connection after this time, so that a lost server is noticed and firewalls keep
/// the connection.
const PROBE_IDLE_AFTER: Duration = Duration::from_secs(30);

impl PostgresAddress {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`InvalidPostgresAddress`].
    pub fn parse(url: &str) -> Result<Self, InvalidPostgresAddress> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(InvalidPostgresAddress::NotAUrl);
        }
        if !asks_for_tls_as_we_do_it(url) {
            return Err(InvalidPostgresAddress::SslMode);
        }
        let mut config = Config::from_str(url).map_err(|_| InvalidPostgresAddress::NotAUrl)?;
        let host =
            config.get_hosts().first().map(shown_host).ok_or(InvalidPostgresAddress::NoHost)?;
        let user = config
            .get_user()
            .filter(|user| !user.is_empty())
            .ok_or(InvalidPostgresAddress::NoUser)?;
        let database = config
            .get_dbname()
            .filter(|name| !name.is_empty())
            .ok_or(InvalidPostgresAddress::NoDatabase)?;
        // An unescaped @ in a password ends it there, and the rest is parsed as a host or a
        // database.
        if host.contains('@') || database.contains('@') {
            return Err(InvalidPostgresAddress::NotAUrl);
        }
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let shown = format!("{host}:{port}/{database} as {user}");
        if config.get_application_name().is_none() {
            config.application_name("boxoffice");
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED);
        }
        config.keepalives_idle(PROBE_IDLE_AFTER);
        Ok(Self { config, shown, pooler: Pooler::None })
    }

    /// Says that a pooler answers at this address.
    #[must_use]
    pub fn behind(self, pooler: Pooler) -> Self {
        Self { pooler, ..self }
    }

    /// Whether connections are encrypted; the server's certificate is then always verified.
    #[must_use]
    pub fn wants_tls(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }

    pub(crate) fn pooler(&self) -> Pooler {
        self.pooler
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    pub(crate) fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }
}

/// The driver also accepts `prefer`, which falls back to a connection without TLS.
fn asks_for_tls_as_we_do_it(url: &str) -> bool {
    let modes = url.split(['?', '&']).filter_map(|option| option.strip_prefix("sslmode="));
    modes.into_iter().all(|mode| ["disable", "require"].contains(&mode))
}

fn shown_host(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_everything_but_the_password() {
        let address =
            PostgresAddress::parse("postgres://shop:hunter2@db.example:6543/sales?sslmode=require")
                .unwrap();
        assert_eq!(address.to_string(), "db.example:6543/sales as shop");
        assert!(address.wants_tls());
        assert!(!format!("{address:?}").contains("hunter2"));
    }

    #[test]
    fn each_invalid_address_has_its_error_and_is_never_repeated() {
        use InvalidPostgresAddress::{NoDatabase, NoHost, NoUser, NotAUrl, SslMode};
        let cases = [
            ("", NotAUrl),
            ("host=db password=hunter2", NotAUrl),
            ("mysql://a:hunter2@db/x", NotAUrl),
            ("postgres://a:hunter2@db:port/x", NotAUrl),
            ("postgres://a:hun@ter2@db/x", NotAUrl),
            ("postgres://a@b/hun@ter2@db/x", NotAUrl),
            ("postgres://a:hunter2@db/x?sslmode=verify-full", SslMode),
            ("postgres://a:hunter2@db/x?connect_timeout=1&sslmode=prefer", SslMode),
            ("postgres://a:hunter2@db/x?hunter2=1", NotAUrl),
            ("postgres://", NoHost),
            ("postgres://db/x", NoUser),
            ("postgres://a:hunter2@db", NoDatabase),
            ("postgres://a:hunter2@db/", NoDatabase),
        ];
        for (text, expected) in cases {
            let error = PostgresAddress::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
