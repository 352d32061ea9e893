//! Processes and ports of private servers.

use std::fs;
use std::io::{Read as _, Seek as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Doing as _, Outcome, failed};

/// The time limit for a server to start; the machine may be busy with other tests.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// The time limit for a killed server to end.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Finds a free port below the range of outgoing connections, so that none of those takes the port
/// while the server is briefly down.
pub(crate) fn free_port() -> Outcome<u16> {
    let seed =
        u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(next());
    let first = 15_000 + u16::try_from(seed % 16_000).unwrap_or_default();
    let mut ports = (first..32_000).chain(15_000..first);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(is_free).ok_or_else(|| failed("no port from 15000 to 32000 is free"))
}

/// A different number each time.
fn next() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    COUNTER.fetch_add(101, Ordering::Relaxed)
}

/// The child processes of this process, as the system lists them.
pub(crate) fn children_of(parent: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_child =
        |process: &String| stat(process).is_some_and(|stat| stat.split(' ').nth(1) == Some(parent));
    all.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_child).collect()
}

pub(crate) fn signal(which: &str, process: &str) -> Outcome {
    let status = Command::new("kill").arg(which).arg(process).stderr(Stdio::null()).status();
    let status = status.doing("starting kill")?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!("kill {which} {process} ended with {status}")))
    }
}

/// Whether the process exists. A zombie does not count.
pub(crate) fn is_there(process: &str) -> bool {
    stat(process).map_or_else(|| signal("-0", process).is_ok(), |stat| !stat.starts_with('Z'))
}

/// The system's process status, from the state on; `None` if the system has none.
pub(crate) fn stat(process: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name precedes it, in brackets, and may itself contain brackets and spaces.
    stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned())
}

/// Retries until the result is not an error; the error says which condition is not met yet.
pub(crate) fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut check: impl FnMut() -> Outcome<T>,
) -> Outcome<T> {
    let end = Instant::now() + limit;
    loop {
        match check() {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > end => {
                return Err(failed(format!("not within {limit:?}: {what}: {error}")));
            }
            Err(_) => std::thread::park_timeout(Duration::from_millis(10)),
        }
    }
}

/// Runs a command to its end, without standard input, and returns its status and its whole output.
/// Kills it if it exceeds the limit.
///
/// # Errors
/// If the command cannot be started, or exceeds the limit.
pub fn run_within(command: &mut Command, limit: Duration) -> Outcome<(ExitStatus, String)> {
    let shown = command.get_program().to_string_lossy().into_owned();
    // Not a pipe: nothing reads it while the command runs, and a full pipe would block the command.
    let mut said = tempfile::tempfile().doing("making a temporary file")?;
    let share = || said.try_clone().doing("opening a temporary file");
    command.stdin(Stdio::null()).stdout(share()?).stderr(share()?);
    let mut process = command.spawn().doing(format!("starting {shown}"))?;
    let status = wait_until("its end", limit, || {
        process.try_wait().doing("waiting")?.ok_or_else(|| failed("it runs"))
    });
    if status.is_err() {
        let _ = process.kill();
        let _ = process.wait();
    }
    let mut text = Vec::new();
    said.rewind()
        .and_then(|()| said.read_to_end(&mut text))
        .doing("reading the output of a program")?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let status = status.map_err(|error| failed(format!("{shown}: {error}: {}", end_of(&text))))?;
    Ok((status, text))
}

pub(crate) fn last_lines(log: &Path) -> String {
    end_of(&fs::read_to_string(log).unwrap_or_default())
}

/// The last lines of a text, joined into one.
pub(crate) fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_whole_output_is_returned_with_the_status() {
        let (status, said) =
            run_within(&mut shell("seq 100000; cat; echo last >&2; exit 3"), LONG).unwrap();
        assert_eq!((status.code(), said.lines().count()), (Some(3), 100_001));
        assert!(said.ends_with("last\n"));
    }

    #[test]
    fn a_slow_program_is_killed_and_its_output_reported() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = shell("echo $$ >pid; echo first; exec sleep 600");
        let limit = Duration::from_secs(2);
        let error = run_within(command.current_dir(folder.path()), limit).unwrap_err().to_string();
        assert!(error.contains("not within 2s") && error.ends_with("first"), "{error}");
        let id = fs::read_to_string(folder.path().join("pid")).unwrap();
        assert!(!is_there(id.trim()));
    }
}
