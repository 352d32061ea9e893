//! Which part is at fault for a server error: the table of SQLSTATEs.

use tokio_postgres::error::{DbError, Severity, SqlState};

/// What is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Blame {
    /// The query or the server: any connection would fail.
    Query,
    /// A time limit of the session, at which the server cancelled the statement.
    Limit,
    /// This connection. Another one may work.
    Connection,
    /// Session state that a change of the database made stale. Connections opened before the change
    /// share it.
    OldConnection,
}

impl Blame {
    /// Classifies a server error.
    pub(crate) fn of(error: &DbError) -> Self {
        // The server closed the connection.
        let is_over = matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        let blame = Self::of_code(error.code());
        if is_over && blame == Self::Query { Self::Connection } else { blame }
    }

    /// Classifies by SQLSTATE alone.
    pub(crate) fn of_code(code: &SqlState) -> Self {
        match code.code() {
            // query_canceled, lock_not_available
            "57014" | "55P03" => Self::Limit,
            // feature_not_supported: "cached plan must not change result type", after an `ALTER
            // TABLE`
            "0A000"
            // invalid_sql_statement_name, duplicate_prepared_statement; invalid_cursor_name,
            // duplicate_cursor
            | "26000" | "42P05" | "34000" | "42P03"
            // read_only_sql_transaction: the server was demoted after the connection was made
            | "25006" => Self::OldConnection,
            // connection_exception, of which protocol_violation is one
            code if code.starts_with("08") => Self::Connection,
            // invalid_transaction_state: left open, aborted, or idle for too long
            code if code.starts_with("25") => Self::Connection,
            // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped,
            // idle_session_timeout
            code if code.starts_with("57P") => Self::Connection,
            _ => Self::Query,
        }
    }

    /// Whether the same query may succeed on a new connection.
    pub(crate) fn is_on_the_connection(self) -> bool {
        matches!(self, Self::Connection | Self::OldConnection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_classification() {
        use Blame::{Connection, Limit, OldConnection, Query};
        let cases = [
            (Limit, vec!["57014", "55P03"]),
            (OldConnection, vec!["0A000", "26000", "42P05", "34000", "42P03", "25006"]),
            (
                Connection,
                vec![
                    "08000", "08003", "08006", "08P01", "25000", "25001", "25P01", "25P02", "25P03",
                ],
            ),
            (Connection, vec!["25P04", "57P01", "57P02", "57P03", "57P04", "57P05"]),
            (
                Query,
                vec![
                    "42P01", "42703", "42501", "22003", "23505", "40001", "53100", "53200",
                    "53300", "XX000",
                ],
            ),
        ];
        for (blame, codes) in cases {
            for code in codes {
                assert_eq!(Blame::of_code(&SqlState::from_code(code)), blame, "{code}");
            }
        }
    }
}
