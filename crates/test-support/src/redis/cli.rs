//! Sends commands through the command line client.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::{Doing as _, Outcome, failed};

/// The time limit for an answer. A frozen server never answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Runs the client to its end and returns its output; an error reply is an error here too.
pub(super) fn answer(mut client: Command) -> Outcome<String> {
    client.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = client.spawn().doing("starting redis-cli")?;
    let (sender, receiver) = mpsc::channel();
    let (output, errors) = (running.stdout.take(), running.stderr.take());
    // Error output is short, so it fits into its pipe meanwhile.
    thread::spawn(move || sender.send((text(output), text(errors))));
    let Ok((output, errors)) = receiver.recv_timeout(ANSWER_LIMIT) else {
        let _ = running.kill();
        let _ = running.wait();
        return Err(failed(format!("redis-cli: no answer within {ANSWER_LIMIT:?}")));
    };
    let status = running.wait().doing("waiting for redis-cli")?;
    if status.success() {
        output.doing("reading from redis-cli")
    } else {
        Err(what_it_said(output, errors))
    }
}

fn what_it_said(output: io::Result<String>, errors: io::Result<String>) -> crate::TaskError {
    let all = [output, errors].map(Result::unwrap_or_default).concat();
    failed(format!("redis-cli: {}", all.trim()))
}

fn text(pipe: Option<impl Read>) -> io::Result<String> {
    let mut bytes = Vec::new();
    pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)).transpose()?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The answer of `INFO` or `CLUSTER INFO`: lines of `field:value`.
pub(super) struct Fields(pub(super) String);

impl Fields {
    /// The value of a field, or an error if it is absent.
    pub(super) fn get(&self, field: &str) -> Outcome<&str> {
        let mut fields = self.0.lines().filter_map(|line| line.split_once(':'));
        let value = fields.find(|(name, _)| *name == field).map(|(_, value)| value.trim());
        value.ok_or_else(|| failed(format!("the server does not report {field}")))
    }

    /// Fails unless the field has this value.
    pub(super) fn expect(&self, field: &str, value: &str) -> Outcome {
        let is = self.get(field)?;
        if is == value { Ok(()) } else { Err(failed(format!("{field} is {is}, not {value}"))) }
    }
}
