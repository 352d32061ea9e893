//! Tries the image: what it contains, and how its program behaves as the first process of a
//! container.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use test_support::{Doing as _, Outcome, failed};

use super::container::Container;
use super::docker::Docker;

/// The maximum size of the image, in bytes.
pub(crate) const LARGEST: u64 = 35_000_000;

/// How long a container may take to become healthy or unhealthy on a busy machine.
const HEALTH_LIMIT: Duration = Duration::from_secs(60);

/// The sum of `http.drain_delay` and `http.shutdown_timeout`, by their defaults.
const STOP_LIMIT: Duration = Duration::from_secs(26);

const HEALTH: &str = ".State.Health.Status";

/// The checks that passed.
struct Passed(u64);

impl Passed {
    fn check(&mut self, what: &str, holds: bool, seen: &str) -> Outcome {
        if !holds {
            return Err(failed(format!("the image: {what}: {seen}")));
        }
        self.0 += 1;
        println!("ok: {what}: {seen}");
        Ok(())
    }
}

/// Runs all checks, and returns their number.
pub(crate) fn try_out(docker: &Docker, image: &str, largest: Option<u64>) -> Outcome<u64> {
    let mut passed = Passed(0);
    check_content(docker, image, largest, &mut passed)?;
    let secrets = tempfile::tempdir().doing("making a folder for a secret")?;
    let key = secrets.path().join("queue-keys");
    let text = docker.says(&["run", "--rm", "--read-only", image, "token", "new-key"])?;
    // The user of the container is another one.
    fs::write(&key, text)
        .and_then(|()| fs::set_permissions(&key, fs::Permissions::from_mode(0o444)))
        .doing("writing a secret")?;
    let mount = format!("--volume={}:/run/secrets/queue-keys:ro", key.display());
    let options = [&mount, "--env=BOXOFFICE__QUEUE__KEYS_FILE=/run/secrets/queue-keys"];
    let container = Container::start(docker, image, &options, &[])?;
    check_running(&container, &mut passed)?;
    check_hang(&container, &mut passed)?;
    check_stop(&container, &mut passed)?;
    Ok(passed.0)
}

fn check_content(
    docker: &Docker,
    image: &str,
    largest: Option<u64>,
    passed: &mut Passed,
) -> Outcome {
    let inspect = |field: &str| {
        docker.says(&["image", "inspect", "--format", &format!("{{{{{field}}}}}"), image])
    };
    let size = inspect(".Size")?;
    match largest {
        Some(largest) => {
            let fits = size.parse::<u64>().is_ok_and(|size| size <= largest);
            passed.check(&format!("at most {largest} bytes"), fits, &size)?;
        }
        None => println!("not checked: the size, {size} bytes: the program is a debug build"),
    }
    let user = inspect(".Config.User")?;
    passed.check("the user is a number, and not root", user == "65532:65532", &user)?;
    let version = docker.says(&["run", "--rm", image, "--version"])?;
    let label =
        |name: &str| inspect(&format!("index .Config.Labels \"org.opencontainers.image.{name}\""));
    let (labelled, revision) = (label("version")?, label("revision")?);
    let named = format!("boxoffice {labelled} (");
    passed.check("the labels name the version", version.starts_with(&named), &version)?;
    // A program that was there before may be of an earlier commit.
    let is_named = largest.is_none() || version == format!("{named}{revision})");
    passed.check("the labels name the commit", revision.len() >= 12 && is_named, &revision)?;
    let (ran, said) = docker.attempt(&["run", "--rm", "--entrypoint=/bin/sh", image, "-c", ":"])?;
    passed.check("there is no shell", !ran, said.lines().next().unwrap_or_default())
}

fn check_running(container: &Container<'_>, passed: &mut Passed) -> Outcome {
    let began = Instant::now();
    container.wait_for(HEALTH, "healthy", HEALTH_LIMIT)?;
    passed.check("it becomes healthy", true, &format!("after {:.1?}", began.elapsed()))?;
    for (what, name, expected) in [
        ("the process has the user's number", "Uid", "65532 65532 65532 65532"),
        ("the process has no capabilities", "CapEff", "0000000000000000"),
        ("the process can gain no rights", "NoNewPrivs", "1"),
        ("the process is the first of its container", "NSpid", " 1"),
    ] {
        let seen = container.process(name)?;
        passed.check(what, seen.ends_with(expected), &format!("{name}: {seen}"))?;
    }
    let answer = send(container.public()?, "POST /api/v1/user/7/queue/token/issue", "")?;
    let is_token = answer.starts_with("HTTP/1.1 200") && answer.contains("\"waitingToken\":\"");
    passed.check("a visitor joins", is_token, answer.lines().next().unwrap_or_default())?;
    let token = answer.split("\"waitingToken\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let inspected = container.exec(&["token", "inspect", token.unwrap_or_default()])?;
    let verified = inspected.contains("\"userId\"");
    passed.check("the key is read from its file", verified, "the token is verified with it")?;
    let files = container.files()?;
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    passed.check(
        "there are certificates to verify servers with",
        files.iter().any(|file| file == certificates),
        certificates,
    )
}

/// A hung process is unhealthy, and healthy again when it resumes.
fn check_hang(container: &Container<'_>, passed: &mut Passed) -> Outcome {
    container.signal("STOP")?;
    container.wait_for(HEALTH, "unhealthy", HEALTH_LIMIT)?;
    container.signal("CONT")?;
    container.wait_for(HEALTH, "healthy", HEALTH_LIMIT)?;
    passed.check("a process that hangs is unhealthy", true, "until it continues")
}

/// SIGTERM lets a request in flight finish, and then ends the process with 0.
fn check_stop(container: &Container<'_>, passed: &mut Passed) -> Outcome {
    let address = container.public()?;
    let mut slow = connect(address)?;
    let head = "POST /api/v1/user/8/queue/token/issue HTTP/1.1\r\nHost: x\r\n\
                Connection: close\r\nContent-Length: 4\r\n\r\n{";
    slow.write_all(head.as_bytes()).doing("sending half of a request")?;
    // The answer to another request shows that the first was read.
    send(address, "GET /api/v1/concerts/query", "")?;
    let began = Instant::now();
    container.signal("TERM")?;
    container.exec(&["health", "--live"])?;
    let drains = container.exec(&["health"]).is_err();
    passed.check("SIGTERM makes it drain", drains, "ready no more, and alive")?;
    slow.write_all(b"  }").doing("sending the rest of a request")?;
    let answer = read_all(slow)?;
    let first = answer.lines().next().unwrap_or_default();
    passed.check("a request in flight is answered", first.starts_with("HTTP/1.1 200"), first)?;
    container.wait_for(".State.Status", "exited", STOP_LIMIT)?;
    let code = container.inspect(".State.ExitCode")?;
    let seen = format!("exit code {code} after {:.1?}", began.elapsed());
    passed.check("SIGTERM ends it with 0", code == "0", &seen)
}

fn send(address: SocketAddr, line: &str, body: &str) -> Outcome<String> {
    let mut stream = connect(address)?;
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).doing("sending a request")?;
    read_all(stream)
}

fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, HEALTH_LIMIT).doing("connecting")?;
    stream.set_read_timeout(Some(HEALTH_LIMIT)).doing("setting a time limit")?;
    Ok(stream)
}

fn read_all(mut stream: TcpStream) -> Outcome<String> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).doing("reading a response")?;
    Ok(answer)
}
