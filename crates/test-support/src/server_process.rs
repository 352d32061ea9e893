//! The common parts of private servers: a folder, a port and a cleanup.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Doing as _, Outcome, failed};
use crate::leftover_processes::{CLEAN_UP, LAUNCH, PID_FILE, Reaper};
use crate::process::{START_LIMIT, free_port, last_lines};

/// A server that runs in a temporary folder, on a free loopback port. It stops when this is dropped
/// or the process ends.
pub(crate) struct ServerProcess {
    name: &'static str,
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
    /// Dropped last: removes the folder.
    _reaper: Reaper,
}

impl ServerProcess {
    /// Makes the folder, without starting the server.
    pub(crate) fn new(name: &'static str) -> Outcome<Self> {
        let prefix = format!("boxoffice-{}-", name.to_lowercase());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        let folder = folder.doing("making a temporary folder")?.keep();
        let mut clean_up = Command::new("sh");
        clean_up.args(["-c", CLEAN_UP, name]).arg(&folder);
        let reaper = Reaper::of(&folder, &clean_up)?;
        Ok(Self { name, folder, port: 0, process: None, _reaper: reaper })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Starts the command that `command` returns for an address, and waits until `is_ready` returns
    /// true for it.
    pub(crate) fn start(
        &mut self,
        command: impl Fn(SocketAddr) -> Command,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> Outcome {
        self.try_start(|address| Ok(command(address)), is_ready)
    }

    /// As [`start`](Self::start), with a command whose creation can fail.
    pub(crate) fn try_start(
        &mut self,
        command: impl Fn(SocketAddr) -> Outcome<Command>,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> Outcome {
        let mut last = failed("no port is free");
        // Another process may take a free port before the server does; then another port is tried.
        for _ in 0..10 {
            self.port = free_port()?;
            match self.launch(&command(self.address())?, &is_ready) {
                Ok(()) => return Ok(()),
                Err(error) if self.has_ended() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Starts the command at the same address as before. The process before must have ended.
    pub(crate) fn start_again(
        &mut self,
        command: &Command,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> Outcome {
        self.launch(command, &is_ready)
    }

    /// Kills the process, which has ended when this returns.
    pub(crate) fn kill(&mut self) -> Outcome {
        if let Some(process) = &mut self.process {
            process.kill().doing(format!("killing {}", self.name))?;
            process.wait().doing(format!("waiting for the end of {}", self.name))?;
            self.forget();
        }
        Ok(())
    }

    fn launch(&mut self, server: &Command, is_ready: impl Fn(SocketAddr) -> bool) -> Outcome {
        let name = self.name;
        let log = self.folder.join("server.log");
        let output =
            fs::OpenOptions::new().create(true).append(true).open(&log).doing("opening a log")?;
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH, name]).arg(self.folder.join(PID_FILE));
        command.arg(server.get_program()).args(server.get_args());
        command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stderr(output.try_clone().doing("opening a log")?).stdout(output);
        // Its own process group: Ctrl-C must reach only the test process, and the reaper then stops
        // the server.
        command.stdin(Stdio::null()).current_dir(&self.folder).process_group(0);
        self.process = Some(command.spawn().doing(format!("starting {name}"))?);
        let end = Instant::now() + START_LIMIT;
        loop {
            if self.has_ended() {
                return Err(failed(format!("{name} ended: {}", last_lines(&log))));
            }
            if is_ready(self.address()) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(failed(format!("{name} is not ready: {}", last_lines(&log))));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Forgets a process that has ended: its id may be reused, and the new process must not be
    /// killed.
    fn has_ended(&mut self) -> bool {
        let Some(process) = &mut self.process else { return true };
        let has_ended = !matches!(process.try_wait(), Ok(None));
        if has_ended {
            self.forget();
        }
        has_ended
    }

    fn forget(&mut self) {
        let _ = fs::remove_file(self.folder.join(PID_FILE));
        self.process = None;
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
            self.forget();
        }
    }
}
