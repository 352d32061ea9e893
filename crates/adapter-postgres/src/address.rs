//! Where the database is, read from a URL that holds a password.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A database, and who asks it. Shows host, port, database and user; never the password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    shown: String,
}

/// A text that is no address of a database. Does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidAddress {
    /// No URL, or one with an option that does not exist.
    #[error(
        "is no Postgres URL such as postgres://user:password@host:5432/database (special characters in a password are \
         written like %40 for @)"
    )]
    NotAUrl,
    /// A way of using TLS that is not ours.
    #[error(
        "has an sslmode other than disable, which is the default, and require, which verifies the server"
    )]
    SslMode,
    /// Nothing says where the server is.
    #[error("names no host")]
    NoHost,
    /// Nothing says who asks.
    #[error("names no user")]
    NoUser,
    /// Nothing says which database.
    #[error("names no database")]
    NoDatabase,
}

/// Bytes the kernel has sent and nobody has acknowledged for so long end a connection: the wire is cut.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// An idle connection is probed after so long, so that a server that is gone is noticed and a firewall does not forget.
const PROBE_IDLE_AFTER: Duration = Duration::from_secs(30);

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`InvalidAddress`].
    pub fn parse(url: &str) -> Result<Self, InvalidAddress> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(InvalidAddress::NotAUrl);
        }
        if !asks_for_tls_as_we_do_it(url) {
            return Err(InvalidAddress::SslMode);
        }
        let mut config = Config::from_str(url).map_err(|_| InvalidAddress::NotAUrl)?;
        let host = config.get_hosts().first().map(shown_host).ok_or(InvalidAddress::NoHost)?;
        let user =
            config.get_user().filter(|user| !user.is_empty()).ok_or(InvalidAddress::NoUser)?;
        let database = config
            .get_dbname()
            .filter(|name| !name.is_empty())
            .ok_or(InvalidAddress::NoDatabase)?;
        // An unescaped @ in a password ends it there, and the rest of it is taken for a host or a database.
        if host.contains('@') || database.contains('@') {
            return Err(InvalidAddress::NotAUrl);
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
        Ok(Self { config, shown })
    }

    /// Whether connections are to be encrypted; the server's certificate is then always verified.
    #[must_use]
    pub fn wants_tls(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
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

/// The driver takes `prefer` too, which would mean to us: without TLS, whatever the server offers.
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

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
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
            Address::parse("postgres://shop:hunter2@db.example:6543/sales?sslmode=require")
                .unwrap();
        assert_eq!(address.to_string(), "db.example:6543/sales as shop");
        assert!(address.wants_tls());
        assert!(!format!("{address:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_told_apart_and_never_repeated() {
        use InvalidAddress::{NoDatabase, NoHost, NoUser, NotAUrl, SslMode};
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
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
