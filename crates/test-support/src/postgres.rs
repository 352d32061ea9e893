//! A private Postgres server.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::binaries::{PostgresBinaries, server_user};
use crate::error::{Doing as _, Outcome, failed};
use crate::leftover_processes::Reaper;
use crate::open_transaction::OpenTransaction;
use crate::process::{
    START_LIMIT, STOP_LIMIT, children_of, free_port, is_there, last_lines, signal, wait_until,
};

/// Whether writes survive a power failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// The default of Postgres; for measurements.
    Full,
    /// No durability: fast, for tests.
    None,
}

/// A private server. It stops when this is dropped or the process ends.
///
/// Any local user can connect as `postgres`; roles in the group `with_password` need a password.
pub struct Postgres {
    binaries: PostgresBinaries,
    folder: PathBuf,
    data: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    durability: Durability,
    /// Dropped last: stops the server and removes the folder.
    _reaper: Reaper,
}

/// The first lines of `pg_hba.conf`, before those that trust all local connections.
const HBA: &str = "host all +with_password 127.0.0.1/32 scram-sha-256\n";

impl Postgres {
    /// Creates and starts a server.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn start(binaries: PostgresBinaries, durability: Durability) -> Outcome<Self> {
        Self::start_at(binaries, durability, None, None)
    }

    /// Starts a server on this port, or on a free one. With `keep`, the data stays in that folder
    /// when the server stops, and the next server there uses it; otherwise the data is removed.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn start_at(
        binaries: PostgresBinaries,
        durability: Durability,
        port: Option<u16>,
        keep: Option<&Path>,
    ) -> Outcome<Self> {
        let user = server_user()?;
        let folder = tempfile::Builder::new().prefix("boxoffice-postgres-").tempdir();
        let folder = folder.doing("making a temporary folder")?.keep();
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).doing("giving the folder to `postgres`")?;
        }
        if let Some(keep) = keep {
            fs::create_dir_all(keep).doing(format!("making {}", keep.display()))?;
            if let Some((user, group)) = user {
                chown(keep, Some(user), Some(group)).doing("giving the folder to `postgres`")?;
            }
        }
        let data = keep.unwrap_or(&folder).join("data");
        let is_new = !data.join("PG_VERSION").exists();
        // From here on the reaper cleans up after any failure.
        let mut stop = binaries.command("pg_ctl");
        let mode = if keep.is_some() { "fast" } else { "immediate" };
        stop.arg("stop").args(["--mode", mode, "--pgdata"]).arg(&data);
        let reaper = Reaper::of(&folder, &as_user_through_sh(&stop, user))?;
        let mut server =
            Self { binaries, folder, data, port: 0, user, durability, _reaper: reaper };
        if is_new {
            server.init()?;
        }
        match port {
            Some(port) => {
                server.port = port;
                // A previous one may still be stopping.
                wait_until("the server starts", STOP_LIMIT, || server.launch())?;
            }
            None => server.start_on_a_free_port()?,
        }
        if is_new {
            server.sql("postgres", "CREATE ROLE with_password NOLOGIN")?;
        }
        Ok(server)
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The URL of one of its databases, as the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.url_without_database())
    }

    /// The superuser's URL without the database name.
    #[must_use]
    pub fn url_without_database(&self) -> String {
        format!("postgres://postgres@{}", self.address())
    }

    /// Runs SQL as the superuser and returns what it prints, without headers.
    ///
    /// # Errors
    /// The error of the server.
    pub fn sql(&self, database: &str, text: &str) -> Outcome<String> {
        psql(&self.binaries, &self.url(database), text)
    }

    /// Runs a statement, such as `LOCK TABLE`, in a transaction that stays open until the returned
    /// value is dropped.
    ///
    /// # Errors
    /// If the statement fails.
    pub fn hold(&self, database: &str, statement: &str) -> Outcome<OpenTransaction> {
        OpenTransaction::by(&self.binaries, &self.url(database), statement)
    }

    /// Makes the server offer TLS with this certificate and key, both in PEM.
    ///
    /// # Errors
    /// If the server rejects them.
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

    /// Makes the server accept this role only over TLS.
    ///
    /// # Errors
    /// If the server's rules cannot be written.
    pub fn take_only_tls_from(&self, role: &str) -> Outcome {
        let file = self.data().join("pg_hba.conf");
        let rules = fs::read_to_string(&file).doing("reading pg_hba.conf")?;
        fs::write(&file, format!("hostnossl all {role} all reject\n{rules}"))
            .doing("writing pg_hba.conf")?;
        self.sql("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// The programs of this server.
    #[must_use]
    pub fn binaries(&self) -> &PostgresBinaries {
        &self.binaries
    }

    /// Kills all its processes with `kill -9`, as a machine failure does. They have ended when this
    /// returns.
    ///
    /// # Errors
    /// If they do not end.
    pub fn kill(&self) -> Outcome {
        let processes = self.processes()?;
        // A child may end in between.
        processes.iter().for_each(|process| drop(signal("-KILL", process)));
        wait_until("the server is gone", STOP_LIMIT, || {
            let left = processes.iter().find(|process| is_there(process));
            left.map_or(Ok(()), |process| {
                Err(failed(format!("process {process} is still running")))
            })
        })
    }

    /// Stops the server as an operator does: it notifies and closes its connections.
    ///
    /// # Errors
    /// If it does not stop.
    pub fn stop(&self) -> Outcome {
        let mut stop = self.command("pg_ctl");
        stop.arg("stop").args(["--mode", "fast", "--pgdata"]).arg(self.data());
        self.run(stop)
    }

    /// Starts the server again on the same port.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn restart(&self) -> Outcome {
        // After a kill the children take a moment to exit, and a new server refuses to start until
        // then.
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
        self.data.clone()
    }

    /// A command that runs one of the programs as the server's user.
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
        // A server started by pg_ctl inherits its output, so reading a pipe to its end would wait
        // for the server.
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

    /// Starts on a free port, and tries another if a different process takes the port first.
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
        // Its own process group: Ctrl-C must reach only the test process, and the reaper then stops
        // the server.
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
    // Each statement from standard input is its own transaction.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().doing("starting psql")?;
    if let Some(mut input) = running.stdin.take() {
        // If psql exits early, its output gives the reason.
        let _ = input.write_all(text.as_bytes());
    }
    let output = running.wait_with_output().doing("running psql")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(failed(format!("psql: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Wraps the command so that a shell started by root can run it.
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
