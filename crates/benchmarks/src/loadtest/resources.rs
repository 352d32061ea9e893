//! Resources that the service and k6 use during a scenario.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use test_support::{Doing as _, Outcome, failed};

use crate::process;

/// Interval between samples.
const EVERY: Duration = Duration::from_secs(1);

/// Samples until `end`.
pub(super) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
    file: PathBuf,
}

/// One sample.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the start.
    pub(crate) seconds: f64,
    /// Of the service, if this run started it.
    pub(crate) service: Option<Used>,
    pub(crate) generator: Used,
}

/// Use by one process.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Used {
    /// Cores in use since the previous sample.
    pub(crate) cores: f64,
    /// Bytes.
    pub(crate) memory: u64,
}

/// The maximum of each resource.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Resources {
    pub(crate) seconds: f64,
    pub(crate) service: Option<Used>,
    pub(crate) generator: Used,
}

impl Watch {
    pub(super) fn begin(service: Option<u32>, generator: u32, file: PathBuf) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut looks =
                Looks { service: service.map(Process::new), generator: Process::new(generator) };
            let begun = Instant::now();
            let mut samples = Vec::new();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                samples.extend(looks.take(begun.elapsed()));
            }
            samples
        });
        Self { stop, thread, file }
    }

    /// Stops sampling, and writes all samples to the file.
    pub(super) fn end(self) -> Outcome<Resources> {
        drop(self.stop);
        let samples = self.thread.join().map_err(|_| failed("the resource sampler panicked"))?;
        let mut text = "seconds,service cores,service bytes,k6 cores,k6 bytes\n".to_owned();
        for sample in &samples {
            let columns = |used: Option<Used>| used.map_or_else(|| ",".to_owned(), Used::columns);
            let (service, generator) = (columns(sample.service), columns(Some(sample.generator)));
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{:.1},{service},{generator}", sample.seconds);
        }
        fs::write(&self.file, text).doing(format!("writing {}", self.file.display()))?;
        Ok(most(&samples))
    }
}

impl Used {
    fn columns(self) -> String {
        format!("{:.3},{}", self.cores, self.memory)
    }

    fn most(self, other: Self) -> Self {
        Self { cores: self.cores.max(other.cores), memory: self.memory.max(other.memory) }
    }
}

fn most(samples: &[Sample]) -> Resources {
    let of =
        |used: &dyn Fn(&Sample) -> Option<Used>| samples.iter().filter_map(used).reduce(Used::most);
    Resources {
        seconds: samples.last().map_or(0.0, |sample| sample.seconds),
        service: of(&|sample| sample.service),
        generator: of(&|sample| Some(sample.generator)).unwrap_or(Used { cores: 0.0, memory: 0 }),
    }
}

struct Looks {
    service: Option<Process>,
    generator: Process,
}

impl Looks {
    /// `None` once a process has ended.
    fn take(&mut self, passed: Duration) -> Option<Sample> {
        let service = match &mut self.service {
            Some(service) => Some(service.look()?),
            None => None,
        };
        Some(Sample { seconds: passed.as_secs_f64(), service, generator: self.generator.look()? })
    }
}

struct Process {
    id: u32,
    cpu_seconds: f64,
    at: Instant,
}

impl Process {
    fn new(id: u32) -> Self {
        Self { id, cpu_seconds: process::cpu_seconds(id).unwrap_or_default(), at: Instant::now() }
    }

    fn look(&mut self) -> Option<Used> {
        let (cpu_seconds, at) = (process::cpu_seconds(self.id).ok()?, Instant::now());
        let cores =
            (cpu_seconds - self.cpu_seconds).max(0.0) / at.duration_since(self.at).as_secs_f64();
        (self.cpu_seconds, self.at) = (cpu_seconds, at);
        Some(Used { cores, memory: process::memory(self.id).ok()? })
    }
}
