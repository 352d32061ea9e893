//! A private Redis server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::binaries::RedisBinaries;
use super::cli::{Fields, answer};
use super::setup::{Ports, RedisSetup};
use crate::error::{Doing as _, Outcome, failed};
use crate::leftover_processes::{CLEAN_UP, LAUNCH, PID_FILE, Reaper};
use crate::process::{START_LIMIT, STOP_LIMIT, free_port, last_lines, signal, stat, wait_until};

/// A private server, without a password unless its setup has one. It stops when this is dropped or
/// the process ends. It can be used from several threads.
pub struct Redis {
    binaries: RedisBinaries,
    setup: RedisSetup,
    folder: PathBuf,
    ports: Ports,
    /// The server process, until it is known to have ended.
    process: Mutex<Option<Child>>,
    /// Dropped last: removes the folder.
    _reaper: Reaper,
}

impl Redis {
    /// Starts a server. It has loaded its data and answers when this returns.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn start(binaries: &RedisBinaries, setup: RedisSetup) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("boxoffice-redis-").tempdir();
        let folder = folder.doing("making a temporary folder")?.keep();
        let mut clean_up = Command::new("sh");
        clean_up.args(["-c", CLEAN_UP, "redis"]).arg(&folder);
        let reaper = Reaper::of(&folder, &clean_up)?;
        let binaries = binaries.clone();
        let process = Mutex::new(None);
        let mut server =
            Self { binaries, setup, folder, ports: Ports::default(), process, _reaper: reaper };
        server.start_on_its_port()?;
        Ok(server)
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.port))
    }

    /// The address that it listens on for TLS, if its setup has TLS.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.tls_port))
    }

    /// The port by which nodes of the cluster introduce it.
    pub(super) fn cluster_port(&self) -> u16 {
        if self.setup.has_tls() { self.ports.tls_port } else { self.ports.port }
    }

    /// The port for other nodes of the cluster.
    pub(super) fn bus_port(&self) -> u16 {
        self.ports.bus_port
    }

    /// Whether the process exists. A frozen process exists too.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.id().is_ok()
    }

    /// Whether the server can answer: it runs and is not frozen.
    pub(super) fn is_awake(&self) -> bool {
        self.id().is_ok_and(|id| is_stopped(&id) != Some(true))
    }

    /// Kills the server with `kill -9`, as a machine failure does, even if it is frozen. It has
    /// ended when this returns.
    ///
    /// # Errors
    /// If it does not end.
    pub fn kill(&self) -> Outcome {
        let mut process = self.process();
        if let Some(server) = process.as_mut() {
            server.kill().doing("killing the server")?;
            server.wait().doing("waiting for the server's end")?;
        }
        self.forget(&mut process);
        Ok(())
    }

    /// Restarts the server with its port and data, killing it first if it runs. It has loaded its
    /// data and answers when this returns.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn restart(&self) -> Outcome {
        // Another process may hold the port briefly.
        wait_until("the server starts again", START_LIMIT, || {
            self.kill()?;
            self.launch()
        })
    }

    /// Freezes the server with `SIGSTOP`: it keeps and accepts connections but answers nothing. It
    /// is frozen when this returns.
    ///
    /// # Errors
    /// If it does not run.
    pub fn freeze(&self) -> Outcome {
        let id = self.id()?;
        signal("-STOP", &id)?;
        wait_until("the server is frozen", STOP_LIMIT, || {
            // If the system does not report the state, assume that the signal worked.
            if is_stopped(&id) == Some(false) { Err(failed("it runs")) } else { Ok(()) }
        })
    }

    /// Resumes the server with `SIGCONT`; it first handles the requests that arrived meanwhile.
    ///
    /// # Errors
    /// If it does not run.
    pub fn thaw(&self) -> Outcome {
        signal("-CONT", &self.id()?)
    }

    /// Runs a command through `redis-cli`, on its own connection, and returns the output: plain
    /// text, one line per list element, nothing for nil.
    ///
    /// If the connection is lost, `redis-cli` retries once, so do not use this to observe that.
    ///
    /// # Errors
    /// The server's error, or that it cannot be reached, or that it takes more than 10 s to answer.
    pub fn command(&self, words: &[&str]) -> Outcome<String> {
        self.request(&[], words)
    }

    /// As [`command`](Self::command), with options for `redis-cli`.
    pub(super) fn request(&self, options: &[&str], words: &[&str]) -> Outcome<String> {
        let mut client = self.binaries.client();
        client
            .args(["-e", "-h", "127.0.0.1", "-p", &self.ports.port.to_string()])
            .args(options)
            .args(words);
        client
            .env_remove("REDISCLI_AUTH")
            .envs(self.setup.password().map(|word| ("REDISCLI_AUTH", word)));
        answer(client)
    }

    /// A section of `INFO`.
    pub(super) fn info(&self, section: &str) -> Outcome<Fields> {
        self.command(&["INFO", section]).map(Fields)
    }

    /// The processor time used since the start, to a hundredth of a second.
    ///
    /// # Errors
    /// If it does not run, or the system has no `/proc`.
    pub fn process_cpu(&self) -> Outcome<Duration> {
        let stat = stat(&self.id()?)
            .ok_or_else(|| failed("the system does not report the processor time"))?;
        // User and kernel mode are fields 14 and 15; the text begins with field 3, the state.
        let ticks = stat.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks
            .sum::<Result<_, _>>()
            .map_err(|_| failed(format!("no processor time in {stat}")))?;
        Ok(Duration::from_millis(10 * ticks))
    }

    /// Promotes a replica to primary, also for later restarts.
    ///
    /// # Errors
    /// The error of the server.
    pub fn promote(&self) -> Outcome {
        self.command(&["REPLICAOF", "NO", "ONE"])?;
        self.command(&["CONFIG", "REWRITE"]).map(drop)
    }

    /// Waits until the replica is connected and has all earlier writes, and keeps them when it is
    /// killed and restarted.
    ///
    /// # Errors
    /// If that takes longer than 60 s: with the reason.
    pub fn wait_for_replica(&self, replica: &Self) -> Outcome {
        let written = offset(&self.info("replication")?, "master_repl_offset")?;
        wait_until("the replica has everything", START_LIMIT, || {
            let said = replica.info("default")?;
            said.expect("master_port", &self.ports.port.to_string())?;
            is_settled(&said)?;
            let has = offset(&said, "slave_repl_offset")?;
            if has >= written {
                Ok(())
            } else {
                Err(failed(format!("it has {has} of {written} bytes")))
            }
        })
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process id, if it runs.
    fn id(&self) -> Outcome<String> {
        let mut process = self.process();
        if let Some(server) = process.as_mut()
            && server.try_wait().doing("checking the server")?.is_none()
        {
            return Ok(server.id().to_string());
        }
        self.forget(&mut process);
        Err(failed(format!("the server on {} does not run", self.address())))
    }

    /// Forgets an ended process: its id may be reused, and the new process must not be killed.
    fn forget(&self, process: &mut Option<Child>) {
        let _ = fs::remove_file(self.folder.join(PID_FILE));
        *process = None;
    }

    /// Starts on the port of the setup, on which a previous server may still be stopping, or on a
    /// free one. If a different process takes a free port first, tries another.
    fn start_on_its_port(&mut self) -> Outcome {
        if let Some(port) = self.setup.fixed_port() {
            return wait_until("the server starts", STOP_LIMIT, || self.launch_on(port));
        }
        let mut last = failed("no port is free");
        for _ in 0..10 {
            match self.launch_on(free_port()?) {
                Ok(()) => return Ok(()),
                Err(error) if self.is_running() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn launch_on(&mut self, port: u16) -> Outcome {
        self.ports = Ports { port, bus_port: free_port()?, tls_port: free_port()? };
        self.setup.write_files(&self.folder)?;
        let text = self.setup.text(&self.folder, self.ports);
        fs::write(self.config(), text).doing("writing the server's configuration")?;
        self.launch()
    }

    /// The configuration file. The server may rewrite it with its replication or sentinel state.
    fn config(&self) -> PathBuf {
        self.folder.join("server.conf")
    }

    fn launch(&self) -> Outcome {
        let log = self.folder.join("server.log");
        let output =
            fs::OpenOptions::new().create(true).append(true).open(&log).doing("opening a log")?;
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH, "redis"]).arg(self.folder.join(PID_FILE));
        command.arg(self.binaries.server()).arg(self.config());
        command.args(self.setup.is_sentinel().then_some("--sentinel"));
        command.stderr(output.try_clone().doing("opening a log")?).stdout(output);
        // Its own process group: Ctrl-C must reach only the test process, and the reaper then stops
        // the server.
        command.stdin(Stdio::null()).current_dir(&self.folder).process_group(0);
        *self.process() = Some(command.spawn().doing("starting redis-server")?);
        self.wait_until_it_serves(&log)
    }

    fn wait_until_it_serves(&self, log: &Path) -> Outcome {
        let end = Instant::now() + START_LIMIT;
        loop {
            // A server that has ended will not become ready.
            let id = self
                .id()
                .map_err(|_| failed(format!("redis-server ended: {}", last_lines(log))))?;
            match self.serves(&id) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > end => return Err(error),
                Err(_) => std::thread::park_timeout(Duration::from_millis(10)),
            }
        }
    }

    /// Checks the process id, since another server may have taken the port.
    fn serves(&self, id: &str) -> Outcome {
        self.info("server")?.expect("process_id", id)?;
        if self.setup.is_sentinel() {
            Ok(())
        } else {
            self.info("persistence")?.expect("loading", "0")
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Fails while this is a replica that lacks data of its primary. The initial copy, and the writes
/// that follow meanwhile, are in the append-only file only after its rewrite, even if the replica
/// becomes the primary.
pub(super) fn is_settled(said: &Fields) -> Outcome {
    if said.get("role")? == "slave" {
        said.expect("master_link_status", "up")?;
    }
    said.expect("aof_rewrite_scheduled", "0")?;
    said.expect("aof_rewrite_in_progress", "0")
}

/// `None` if the system does not report it.
fn is_stopped(id: &str) -> Option<bool> {
    stat(id).map(|stat| stat.starts_with('T'))
}

fn offset(said: &Fields, field: &str) -> Outcome<u64> {
    let value = said.get(field)?;
    value.parse().map_err(|_| failed(format!("{field} is {value}")))
}
