//! A connection pooler in front of the database, such as PgBouncer.

/// What answers at an address, and how long one of its connections keeps the same connection to the
/// server: the pool mode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Pooler {
    /// The server itself.
    #[default]
    None,
    /// A pooler that keeps the server connection until the client disconnects.
    Session,
    /// A pooler that may change the server connection after every transaction. Nothing of a session
    /// lasts longer: no setting, no prepared statement, no advisory lock.
    Transaction,
}

/// Why a pooler refuses a client for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// Wrong password or no such user, at the pooler or behind it.
    Credentials,
    /// The server behind the pooler does not admit the user.
    NotLetIn,
    /// No such database, at the pooler or behind it.
    NoDatabase,
    /// It knows no startup options.
    Options,
}

/// The meaning of an error with the code of protocol violations. PgBouncer gives that code to all
/// of its errors, and up to 1.18 to errors of the server during a login, too. Its texts are not
/// translated.
pub(crate) fn refusal(message: &str) -> Option<Refusal> {
    let has = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let is_missing = |what: &str| {
        message.starts_with(&format!("{what} \"")) && message.ends_with("\" does not exist")
    };
    if has(&["authentication failed", "no such user"]) || is_missing("role") {
        Some(Refusal::Credentials)
    } else if has(&["no such database"]) || is_missing("database") {
        Some(Refusal::NoDatabase)
    } else if has(&["pg_hba.conf", "not permitted to log in"]) {
        Some(Refusal::NotLetIn)
    } else if has(&["unsupported startup parameter"]) {
        Some(Refusal::Options)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permanent_refusal_is_distinguished_from_an_outage_by_its_text() {
        use Refusal::{Credentials, NoDatabase, NotLetIn, Options};
        let cases = [
            ("SASL authentication failed", Some(Credentials)),
            ("password authentication failed for user \"shop\"", Some(Credentials)),
            ("no such user: shop", Some(Credentials)),
            ("role \"shop\" does not exist", Some(Credentials)),
            ("no such database: sales", Some(NoDatabase)),
            ("database \"sales\" does not exist", Some(NoDatabase)),
            ("no pg_hba.conf entry for host \"10.0.0.1\"", Some(NotLetIn)),
            ("role \"shop\" is not permitted to log in", Some(NotLetIn)),
            ("unsupported startup parameter: options", Some(Options)),
            ("unsupported startup parameter in options: lock_timeout", Some(Options)),
            ("query_wait_timeout", None),
            ("no more connections allowed (max_client_conn)", None),
            ("server login has been failing, try again later (server_login_retry)", None),
            ("pgbouncer cannot connect to server", None),
            ("the database system is starting up", None),
            ("sorry, too many clients already", None),
        ];
        for (message, expected) in cases {
            assert_eq!(refusal(message), expected, "{message}");
        }
    }
}
