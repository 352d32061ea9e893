//! Limits of a session on the server.

use std::time::Duration;

/// Limits that the server enforces, so that none of our sessions blocks others for long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionLimits {
    /// Timeout of connecting, including name resolution and authentication.
    pub connect: Duration,
    /// Statement timeout; the server cancels the statement. Zero means no limit.
    pub statement: Duration,
    /// Lock timeout; the server cancels the waiting statement. Zero means no limit.
    pub lock: Duration,
    /// Timeout of an idle transaction; the server closes the connection. Zero means no limit.
    pub idle_in_transaction: Duration,
}

/// Network time allowed on top of the server's limit.
const WIRE: Duration = Duration::from_millis(250);

impl SessionLimits {
    /// How long to wait for a result on a connection: the server's limit plus the network time.
    /// Unlimited without a statement timeout.
    #[must_use]
    pub fn answer(&self) -> Duration {
        if self.statement.is_zero() { Duration::MAX } else { self.statement.saturating_add(WIRE) }
    }

    /// The settings of the server, in milliseconds.
    pub(crate) fn settings(&self) -> [(&'static str, u128); 3] {
        [
            ("statement_timeout", self.statement.as_millis()),
            ("lock_timeout", self.lock.as_millis()),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction.as_millis()),
        ]
    }

    /// The limits as startup options, so that they apply from the start of the connection.
    pub(crate) fn options(&self) -> String {
        self.settings().map(|(name, limit)| format!("-c {name}={limit}")).join(" ")
    }

    /// Statements that set the limits for the rest of the session.
    pub(crate) fn for_the_session(&self) -> String {
        self.settings().map(|(name, limit)| format!("SET {name} = {limit}")).join("; ")
    }

    /// Statements that set the limits for the rest of the transaction.
    pub(crate) fn for_the_transaction(&self) -> String {
        self.settings().map(|(name, limit)| format!("SET LOCAL {name} = {limit}")).join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_all_three_limits_of_the_server_in_milliseconds() {
        let [statement, lock, idle_in_transaction] = [1_000, 300, 5_000].map(Duration::from_millis);
        let limits =
            SessionLimits { connect: Duration::ZERO, statement, lock, idle_in_transaction };
        assert_eq!(
            limits.options(),
            "-c statement_timeout=1000 -c lock_timeout=300 -c idle_in_transaction_session_timeout=5000"
        );
        assert_eq!(
            limits.for_the_session(),
            "SET statement_timeout = 1000; SET lock_timeout = 300; \
             SET idle_in_transaction_session_timeout = 5000"
        );
        assert_eq!(
            limits.for_the_transaction(),
            "SET LOCAL statement_timeout = 1000; SET LOCAL lock_timeout = 300; \
             SET LOCAL idle_in_transaction_session_timeout = 5000"
        );
    }
}
