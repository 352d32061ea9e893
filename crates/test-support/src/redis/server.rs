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
use super::setup::RedisSetup;
use crate::error::{Doing as _, Outcome, failed};
use crate::keeper::{CLEAN_UP, Keeper, LAUNCH, PID_FILE};
use crate::process::{START_LIMIT, STOP_LIMIT, free_port, last_lines, signal, stat, wait_until};

/// A server of our own, without a password unless its setup has one. It stops when this is dropped, and when our process
/// ends. Any thread may use it.
pub struct Redis {
    binaries: RedisBinaries,
    setup: RedisSetup,
    folder: PathBuf,
    port: u16,
    bus_port: u16,
    /// The server, until we know that it has ended.
    process: Mutex<Option<Child>>,
    /// Dropped last of all: removes the folder.
    _keeper: Keeper,
}

impl Redis {
    /// Starts a server; it answers and has loaded its data when this returns.
    ///
    /// # Errors
    /// What went wrong, with the end of the server's log.
    pub fn start(binaries: &RedisBinaries, setup: RedisSetup) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("boxoffice-redis-").tempdir();
        let folder = folder.doing("making a temporary folder")?.keep();
        let mut clean_up = Command::new("sh");
        clean_up.args(["-c", CLEAN_UP, "redis"]).arg(&folder);
        let keeper = Keeper::of(&folder, &clean_up)?;
        let binaries = binaries.clone();
        let process = Mutex::new(None);
        let mut server =
            Self { binaries, setup, folder, port: 0, bus_port: 0, process, _keeper: keeper };
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Where the nodes of a cluster speak to it.
    pub(super) fn bus_port(&self) -> u16 {
        self.bus_port
    }

    /// Whether there is such a process. One that is frozen is there too.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.id().is_ok()
    }

    /// Whether it can be expected to answer: it runs and is not frozen.
    pub(super) fn is_awake(&self) -> bool {
        self.id().is_ok_and(|id| is_stopped(&id) != Some(true))
    }

    /// `kill -9`, as when the machine fails; also of one that is frozen. It is gone when this returns.
    ///
    /// # Errors
    /// When it does not die.
    pub fn kill(&self) -> Outcome {
        let mut process = self.process();
        if let Some(server) = process.as_mut() {
            server.kill().doing("killing the server")?;
            server.wait().doing("waiting for the server's end")?;
        }
        self.forget(&mut process);
        Ok(())
    }

    /// Starts it again with the port and the data it had, killing it first if it runs. It answers and has loaded its data
    /// when this returns.
    ///
    /// # Errors
    /// With the end of the server's log.
    pub fn restart(&self) -> Outcome {
        // Somebody else may hold the port for a moment.
        wait_until("the server starts again", START_LIMIT, || {
            self.kill()?;
            self.launch()
        })
    }

    /// `SIGSTOP`: connections stay open, new ones are made, and nothing is answered. So it is when this returns.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Outcome {
        let id = self.id()?;
        signal("-STOP", &id)?;
        wait_until("the server is frozen", STOP_LIMIT, || {
            // Where the system does not say, the signal is taken to have done it.
            if is_stopped(&id) == Some(false) { Err(failed("it runs")) } else { Ok(()) }
        })
    }

    /// `SIGCONT`: goes on, with what it was asked meanwhile first.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Outcome {
        signal("-CONT", &self.id()?)
    }

    /// Runs a command through `redis-cli`, a connection of its own, and returns what it prints: text as it is, the parts
    /// of a list each on a line, nothing for nil.
    ///
    /// When the connection is lost `redis-cli` asks once more, so this is not for watching that.
    ///
    /// # Errors
    /// What the server replied where that is an error; that it cannot be reached, or takes more than 10 s to answer.
    pub fn command(&self, words: &[&str]) -> Outcome<String> {
        self.ask(&[], words)
    }

    /// The same, with options of `redis-cli`.
    pub(super) fn ask(&self, options: &[&str], words: &[&str]) -> Outcome<String> {
        let mut client = self.binaries.client();
        client
            .args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(options)
            .args(words);
        client
            .env_remove("REDISCLI_AUTH")
            .envs(self.setup.password().map(|word| ("REDISCLI_AUTH", word)));
        answer(client)
    }

    /// A part of what it says about itself.
    pub(super) fn info(&self, section: &str) -> Outcome<Fields> {
        self.command(&["INFO", section]).map(Fields)
    }

    /// The processor time it has used since it was started, to a hundredth of a second.
    ///
    /// # Errors
    /// When it does not run, or the system has no `/proc`.
    pub fn process_cpu(&self) -> Outcome<Duration> {
        let stat = stat(&self.id()?)
            .ok_or_else(|| failed("the system does not say what a process uses"))?;
        // In user and in kernel mode: the 14th and 15th of all fields, and the state is the third.
        let ticks = stat.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks
            .sum::<Result<_, _>>()
            .map_err(|_| failed(format!("no processor time in {stat}")))?;
        Ok(Duration::from_millis(10 * ticks))
    }

    /// Makes a replica a primary, which it stays when it is restarted.
    ///
    /// # Errors
    /// What the server said.
    pub fn promote(&self) -> Outcome {
        self.command(&["REPLICAOF", "NO", "ONE"])?;
        self.command(&["CONFIG", "REWRITE"]).map(drop)
    }

    /// Waits until the replica is connected and has everything that was written here before this was called, and still has
    /// it when it is killed and restarted.
    ///
    /// # Errors
    /// When that is not so within 60 s: why.
    pub fn wait_for_replica(&self, replica: &Self) -> Outcome {
        let written = offset(&self.info("replication")?, "master_repl_offset")?;
        wait_until("the replica has everything", START_LIMIT, || {
            let said = replica.info("default")?;
            said.expect("master_port", &self.port.to_string())?;
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

    /// Its process id, while it runs.
    fn id(&self) -> Outcome<String> {
        let mut process = self.process();
        if let Some(server) = process.as_mut()
            && server.try_wait().doing("looking for the server")?.is_none()
        {
            return Ok(server.id().to_string());
        }
        self.forget(&mut process);
        Err(failed(format!("the server on {} does not run", self.address())))
    }

    /// The process has ended and its id may become that of another, which must not be killed in its place.
    fn forget(&self, process: &mut Option<Child>) {
        let _ = fs::remove_file(self.folder.join(PID_FILE));
        *process = None;
    }

    /// Between asking for a free port and taking it somebody else may; then another one is tried.
    fn start_on_a_free_port(&mut self) -> Outcome {
        let mut last = failed("no port is free");
        for _ in 0..10 {
            (self.port, self.bus_port) = (free_port()?, free_port()?);
            let text = self.setup.text(&self.folder, self.port, self.bus_port);
            fs::write(self.config(), text).doing("writing the server's configuration")?;
            match self.launch() {
                Ok(()) => return Ok(()),
                Err(error) if self.is_running() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The server itself may write to it: what it replicates, what a sentinel has learned.
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
        // Not in the terminal's group: Ctrl-C is for us, and the keeper stops the server then.
        command.stdin(Stdio::null()).current_dir(&self.folder).process_group(0);
        *self.process() = Some(command.spawn().doing("starting redis-server")?);
        self.wait_until_it_serves(&log)
    }

    fn wait_until_it_serves(&self, log: &Path) -> Outcome {
        let end = Instant::now() + START_LIMIT;
        loop {
            // One that has ended will not serve any more.
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

    /// Somebody else's server may have taken the port just before.
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

/// An error as long as this is a replica that lacks what its primary has. What it gets at first is in its append-only file
/// only when that has been rewritten, and so is what comes meanwhile, even when it becomes the primary.
pub(super) fn is_settled(said: &Fields) -> Outcome {
    if said.get("role")? == "slave" {
        said.expect("master_link_status", "up")?;
    }
    said.expect("aof_rewrite_scheduled", "0")?;
    said.expect("aof_rewrite_in_progress", "0")
}

/// `None` where the system does not say.
fn is_stopped(id: &str) -> Option<bool> {
    stat(id).map(|stat| stat.starts_with('T'))
}

fn offset(said: &Fields, field: &str) -> Outcome<u64> {
    let value = said.get(field)?;
    value.parse().map_err(|_| failed(format!("{field} is {value}")))
}
