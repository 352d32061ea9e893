//! A private PgBouncer in front of a Postgres server.

mod binaries;

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use crate::error::{Doing as _, Outcome, failed};
use crate::install::is_root;
use crate::server_process::ServerProcess;

pub use self::binaries::find_or_install_pgbouncer;

/// How long a client keeps a connection to the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PoolMode {
    /// Until it disconnects.
    Session,
    /// Until the end of a transaction.
    Transaction,
}

/// The configuration of a private pooler.
#[derive(Clone, Debug)]
pub struct PgBouncerSetup {
    mode: PoolMode,
    users: Vec<(String, String)>,
    lines: Vec<String>,
}

impl PgBouncerSetup {
    /// A pooler that knows no users.
    #[must_use]
    pub fn new(mode: PoolMode) -> Self {
        Self { mode, users: Vec::new(), lines: Vec::new() }
    }

    /// Lets a user in with this password, and uses it for the server too.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Adds a line to the section `[pgbouncer]`, such as `default_pool_size = 2`.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    fn text(&self, address: SocketAddr, server: SocketAddr) -> String {
        let mode = match self.mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let (host, port) = (address.ip(), address.port());
        let mut text = format!(
            "[databases]\n* = host={} port={}\n\n[pgbouncer]\nlisten_addr = {host}\n\
             listen_port = {port}\nunix_socket_dir =\npool_mode = {mode}\n\
             auth_type = scram-sha-256\nauth_file = users.txt\n",
            server.ip(),
            server.port()
        );
        self.lines.iter().for_each(|line| text.extend([line, "\n"]));
        text
    }

    fn users(&self) -> String {
        let mut text = String::new();
        for (name, password) in &self.users {
            // Writing to a text does not fail.
            let _ = writeln!(text, "\"{name}\" \"{password}\"");
        }
        text
    }
}

/// A private pooler that forwards every database to one server. It stops when this is dropped or
/// the process ends.
pub struct PgBouncer {
    server: ServerProcess,
    program: PathBuf,
}

impl PgBouncer {
    /// Starts a pooler for this server.
    ///
    /// # Errors
    /// If it is not installed, or does not start, with the end of its log.
    pub fn start(setup: &PgBouncerSetup, server: SocketAddr) -> Outcome<Self> {
        let program = binaries::look()
            .ok_or_else(|| failed("PgBouncer is not installed; `cargo xtask test` installs it"))?;
        let mut process = ServerProcess::new("PgBouncer")?;
        let folder = process.folder().to_owned();
        binaries::give_to_its_user(&folder)?;
        process.try_start(
            |address| {
                let write = |name: &str, text: String| {
                    fs::write(folder.join(name), text).doing(format!("writing {name}"))
                };
                write("pgbouncer.ini", setup.text(address, server))?;
                write("users.txt", setup.users())?;
                Ok(command(&program))
            },
            answers,
        )?;
        Ok(Self { server: process, program })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The URL of a database through it, for `name` or `name:password`.
    #[must_use]
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@{}/{database}", self.address())
    }

    /// Kills it; its connections close.
    ///
    /// # Errors
    /// If it does not end.
    pub fn kill(&mut self) -> Outcome {
        self.server.kill()
    }

    /// Starts it again on the same port, killing it first if it runs.
    ///
    /// # Errors
    /// The cause, with the end of its log.
    pub fn restart(&mut self) -> Outcome {
        self.server.kill()?;
        self.server.start_again(&command(&self.program), answers)
    }
}

/// It refuses to run as root.
fn command(program: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command.args(is_root().then_some("--user=postgres")).arg("pgbouncer.ini");
    command
}

fn answers(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_test_come_last_and_take_precedence() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let setup = PgBouncerSetup::new(PoolMode::Session)
            .user("shop", "right")
            .line("pool_mode = transaction");
        let text = setup.text(at(7), at(8));
        assert!(text.contains("\n* = host=127.0.0.1 port=8\n"), "{text}");
        assert!(text.contains("\nlisten_port = 7\n"), "{text}");
        assert!(text.ends_with("\npool_mode = transaction\n"), "{text}");
        assert_eq!(setup.users(), "\"shop\" \"right\"\n");
    }
}
