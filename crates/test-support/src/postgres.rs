//! A private Postgres server.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::binaries::{PostgresBinaries, server_user};
use crate::database::Held;
use crate::error::{Doing as _, Outcome, failed};
use crate::keeper::Keeper;
use crate::process::{
    START_LIMIT, STOP_LIMIT, children_of, free_port, is_there, last_lines, signal, wait_until,
};

/// Whether the server writes as if power could fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// As a server does by default; for measuring.
    Full,
    /// Not at all: fast, and good for tests.
    None,
}

/// A server of our own. It stops when this is dropped, and when our process ends.
///
/// Anybody on this machine may connect as `postgres`; a role in the group `with_password` must give its password.
pub struct Postgres {
    binaries: PostgresBinaries,
    folder: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    durability: Durability,
    /// Dropped last of all: stops the server and removes the folder.
    _keeper: Keeper,
}

/// The first lines of `pg_hba.conf`, above the ones that trust everybody on this machine.
const HBA: &str = "host all +with_password 127.0.0.1/32 scram-sha-256\n";

impl Postgres {
    /// Makes and starts a server.
    ///
    /// # Errors
    /// What went wrong, with the end of the server's log.
    pub fn start(binaries: PostgresBinaries, durability: Durability) -> Outcome<Self> {
        let user = server_user()?;
        let folder = tempfile::Builder::new().prefix("boxoffice-postgres-").tempdir();
        let folder = folder.doing("making a temporary folder")?.keep();
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).doing("giving the folder to `postgres`")?;
        }
        // Kept from here on, whatever fails.
        let mut stop = binaries.command("pg_ctl");
        stop.arg("stop").args(["--mode", "immediate", "--pgdata"]).arg(folder.join("data"));
        let keeper = Keeper::of(&folder, &as_user_through_sh(&stop, user))?;
        let mut server = Self { binaries, folder, port: 0, user, durability, _keeper: keeper };
        server.init()?;
        server.start_on_a_free_port()?;
        server.sql("postgres", "CREATE ROLE with_password NOLOGIN")?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The URL of one of its databases, as the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.url_without_database())
    }

    /// The same up to the database's name.
    #[must_use]
    pub fn url_without_database(&self) -> String {
        format!("postgres://postgres@{}", self.address())
    }

    /// Runs SQL as the superuser and returns what it prints, without headers.
    ///
    /// # Errors
    /// What the server said.
    pub fn sql(&self, database: &str, text: &str) -> Outcome<String> {
        psql(&self.binaries, &self.url(database), text)
    }

    /// Runs a statement, such as `LOCK TABLE`, in a transaction that stays open as long as the answer is kept.
    ///
    /// # Errors
    /// When the statement fails.
    pub fn hold(&self, database: &str, statement: &str) -> Outcome<Held> {
        Held::by(&self.binaries, &self.url(database), statement)
    }

    /// From now on the server offers TLS with this certificate and key, both as PEM.
    ///
    /// # Errors
    /// When the server does not take them.
    pub fn offer_tls(&self, certificate: &str, key: &str) -> Outcome {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, text).doing(format!("writing {name}"))?;
            // The server refuses a key that others can read.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
                .doing(format!("closing {name}"))?;
            if let Some((user, group)) = self.user {
                chown(&path, Some(user), Some(group))
                    .doing(format!("giving {name} to `postgres`"))?;
            }
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on;\nSELECT pg_reload_conf();").map(drop)
    }

    /// From now on a role is let in over TLS only.
    ///
    /// # Errors
    /// When the server's rules cannot be written.
    pub fn take_only_tls_from(&self, role: &str) -> Outcome {
        let file = self.data().join("pg_hba.conf");
        let rules = fs::read_to_string(&file).doing("reading pg_hba.conf")?;
        fs::write(&file, format!("hostnossl all {role} all reject\n{rules}"))
            .doing("writing pg_hba.conf")?;
        self.sql("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// The programs it was started with.
    #[must_use]
    pub fn binaries(&self) -> &PostgresBinaries {
        &self.binaries
    }

    /// `kill -9` of all its processes, as when the machine fails. They are gone when this returns.
    ///
    /// # Errors
    /// When they do not die.
    pub fn kill(&self) -> Outcome {
        let processes = self.processes()?;
        // A child may end by itself in between.
        processes.iter().for_each(|process| drop(signal("-KILL", process)));
        wait_until("the server is gone", STOP_LIMIT, || {
            let left = processes.iter().find(|process| is_there(process));
            left.map_or(Ok(()), |process| Err(failed(format!("process {process} is there"))))
        })
    }

    /// Stops it the way an operator does: connections are ended and told so.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&self) -> Outcome {
        let mut stop = self.command("pg_ctl");
        stop.arg("stop").args(["--mode", "fast", "--pgdata"]).arg(self.data());
        self.run(stop)
    }

    /// Starts it again on the port it had.
    ///
    /// # Errors
    /// With the end of the server's log.
    pub fn restart(&self) -> Outcome {
        // After a kill its children need a moment to notice, and until then a new server refuses to start.
        let limit = Instant::now() + START_LIMIT;
        loop {
            match self.launch() {
                Err(error) if Instant::now() > limit => return Err(error),
                Err(_) => std::thread::park_timeout(Duration::from_millis(100)),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of the programs, run as the user the server runs as.
    fn command(&self, program: &str) -> Command {
        let mut command = self.binaries.command(program);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.current_dir(&self.folder);
        command
    }

    fn run(&self, mut command: Command) -> Outcome {
        let shown = command.get_program().to_string_lossy().into_owned();
        // A server started by pg_ctl inherits its output, and whoever reads a pipe to its end would wait for the server.
        let log = self.folder.join("commands.log");
        let output =
            fs::OpenOptions::new().create(true).append(true).open(&log).doing("opening a log")?;
        command.stderr(output.try_clone().doing("opening a log")?).stdout(output);
        let status = command.status().doing(format!("starting `{shown}`"))?;
        if status.success() {
            return Ok(());
        }
        let (said, served) = (last_lines(&log), last_lines(&self.folder.join("server.log")));
        Err(failed(format!("`{shown}` ended with {status}: {said} {served}")))
    }

    fn init(&self) -> Outcome {
        let mut init = self.command("initdb");
        init.args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        init.arg("--pgdata").arg(self.data());
        self.run(init)?;
        let hba = self.data().join("pg_hba.conf");
        let trusting = fs::read_to_string(&hba).doing("reading pg_hba.conf")?;
        fs::write(&hba, format!("{HBA}{trusting}")).doing("writing pg_hba.conf")
    }

    /// Between asking for a free port and taking it somebody else may; then another one is tried.
    fn start_on_a_free_port(&mut self) -> Outcome {
        let mut last = failed("no port is free");
        for _ in 0..10 {
            self.port = free_port()?;
            match self.launch() {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn launch(&self) -> Outcome {
        let mut options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200",
            self.port
        );
        if self.durability == Durability::None {
            options.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        let mut start = self.command("pg_ctl");
        start.args(["start", "--wait", "--silent", "--pgdata"]).arg(self.data());
        start.arg("--log").arg(self.folder.join("server.log")).arg("--options").arg(options);
        // Not in the terminal's group: Ctrl-C is for us, and the keeper stops the server then.
        self.run({
            start.process_group(0);
            start
        })
    }

    /// The server and its children.
    fn processes(&self) -> Outcome<Vec<String>> {
        let file = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&file).doing("reading the server's process id")?;
        let server = text.lines().next().unwrap_or_default().to_owned();
        let children = children_of(&server);
        Ok(std::iter::once(server).chain(children).collect())
    }
}

pub(crate) fn psql(binaries: &PostgresBinaries, url: &str, text: &str) -> Outcome<String> {
    let mut command = binaries.command("psql");
    command.args([
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
    ]);
    command.arg("--dbname").arg(url).env("PGCONNECT_TIMEOUT", "10");
    // From standard input every statement is a transaction of its own.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().doing("starting psql")?;
    if let Some(mut input) = running.stdin.take() {
        // When psql ends early, what it said says why.
        let _ = input.write_all(text.as_bytes());
    }
    let output = running.wait_with_output().doing("running psql")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(failed(format!("psql: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// The command as one that a shell started by root can run.
fn as_user_through_sh(command: &Command, user: Option<(u32, u32)>) -> Command {
    let Some((user, group)) = user else {
        let mut plain = Command::new(command.get_program());
        plain.args(command.get_args());
        return plain;
    };
    let mut wrapped = Command::new("setpriv");
    wrapped.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped
}
