//! A private server leaves nothing behind, however its owner ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < limit, "not within 20 s: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Runs the task until it prints a line with this start, and ends it with the signal. Then no
/// address in that line accepts connections, and no folder remains.
fn end(task: &[&str], start: &str, signal: &str) {
    // A separate folder shows any leftovers.
    let folder = tempfile::Builder::new().permissions(world_readable()).tempdir().unwrap();
    // A shell that runs the tests in the background makes them ignore SIGINT, and children inherit
    // that.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_xtask")]);
    command.args(task).env("TMPDIR", folder.path()).stdout(Stdio::piped());
    let mut owner = command.spawn().unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with(start)).unwrap();
    let places = line.split(['@', '/', ',']).filter(|part| part.starts_with("127."));
    let addresses: Vec<SocketAddr> = places.map(|place| place.parse().unwrap()).collect();
    assert!(
        !addresses.is_empty()
            && addresses.iter().all(|address| TcpStream::connect(address).is_ok())
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), addresses.len());
    assert!(
        Command::new("kill").args([signal, &owner.id().to_string()]).status().unwrap().success()
    );
    let owner = std::cell::RefCell::new(owner);
    eventually("the owner has ended", || owner.borrow_mut().try_wait().unwrap().is_some());
    let is_gone = || addresses.iter().all(|address| TcpStream::connect(address).is_err());
    eventually("every server is gone", is_gone);
    eventually("every folder is gone", || folder.path().read_dir().unwrap().count() == 0);
}

#[test]
fn nothing_is_left_of_a_private_server_when_its_owner_is_interrupted_or_killed() {
    for signal in ["-INT", "-TERM", "-KILL"] {
        end(&["postgres"], "postgres://", signal);
        end(&["redis"], "redis://", signal);
    }
    end(&["redis", "--cluster"], "redis-cluster://", "-KILL");
}

/// Runs a task until the line with its address, then calls `with` and interrupts it.
fn while_running<T>(task: &[&str], with: impl FnOnce(&str) -> T) -> T {
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_xtask")]);
    let mut owner = command.args(task).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.contains("://")).unwrap();
    let value = with(&line);
    Command::new("kill").args(["-INT", &owner.id().to_string()]).status().unwrap();
    owner.wait().unwrap();
    value
}

#[test]
fn a_kept_folder_and_a_port_bring_the_server_back_as_it_was() {
    let folder = tempfile::Builder::new().permissions(world_readable()).tempdir().unwrap();
    let keep = folder.path().join("data");
    // Below the ports of outgoing connections and of the servers of other tests.
    let first = 10_000 + u16::try_from(std::process::id() % 4_000).unwrap();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (first..15_000).find(is_free).unwrap().to_string();
    let kept = ["--port", port.as_str(), "--keep", keep.to_str().unwrap()];
    for (task, write, read) in [
        ("redis", "SET kept 5", "GET kept"),
        ("postgres", "CREATE TABLE kept AS SELECT 5 AS five", "SELECT five FROM kept"),
    ] {
        let run = |url: &str, command: &str| {
            let client = if task == "redis" {
                Command::new("redis-cli").arg("-u").arg(url).args(command.split(' ')).output()
            } else {
                Command::new("psql").args(["-qtA", url, "-c", command]).output()
            };
            String::from_utf8(client.unwrap().stdout).unwrap()
        };
        let task = [&[task][..], &kept].concat();
        let first = while_running(&task, |url| {
            run(url, write);
            url.to_owned()
        });
        assert!(first.contains(&format!(":{port}")), "{first}");
        while_running(&task, |url| {
            assert_eq!((url, run(url, read).trim()), (first.as_str(), "5"));
        });
    }
}

/// Whether any process, including the one that cleans up, has this folder on its command line.
fn is_mentioned(folder: &Path) -> bool {
    let folder = folder.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.map(|process| process.path().join("cmdline")).any(|file| {
        let line = std::fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(folder)
    })
}

#[test]
fn nothing_is_left_when_the_owner_is_killed_while_the_server_is_being_made() {
    end_early("postgres");
    end_early("redis");
}

fn end_early(task: &str) {
    let folder = tempfile::Builder::new().permissions(world_readable()).tempdir().unwrap();
    let is_empty = || folder.path().read_dir().unwrap().count() == 0;
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg(task).env("TMPDIR", folder.path()).stdout(Stdio::null());
    let mut owner = command.spawn().unwrap();
    eventually("it is being made", || !is_empty() && is_mentioned(folder.path()));
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("folder and processes are gone", || is_empty() && !is_mentioned(folder.path()));
}

/// The server runs as another user, who needs access to its folder.
fn world_readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}
