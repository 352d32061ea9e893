//! The machine and the build that produced a set of figures.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::affinity;

/// Saved with every set of figures, which mean nothing without it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Environment {
    /// The commit that was built.
    pub commit: String,
    /// Whether the sources differed from the commit.
    pub changed: bool,
    /// The cores of the machine.
    pub cores: usize,
    /// The name of its processor.
    pub processor: String,
    /// Bytes.
    pub memory: u64,
    /// Operating system and kernel.
    pub system: String,
    /// The versions of the other programs involved.
    pub tools: Vec<String>,
}

impl Environment {
    /// Describes this machine and this checkout. Each of `tools` is a command that prints its
    /// version.
    #[must_use]
    pub fn now(tools: &[&[&str]]) -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let total = after(&memory, "MemTotal:")
            .and_then(|words| words.split(' ').next()?.parse::<u64>().ok());
        let name = after(&system, "PRETTY_NAME=").unwrap_or_default().trim_matches('"').to_owned();
        Self {
            commit: said(&["git", "rev-parse", "--short=12", "HEAD"]),
            changed: !said(&[
                "git",
                "status",
                "--porcelain",
                "--",
                "Cargo.toml",
                "Cargo.lock",
                "crates",
            ])
            .is_empty(),
            cores: affinity::count(),
            processor: after(&cpu, "model name")
                .map_or("an unnamed processor", |m| m.trim_start_matches([':', ' ']))
                .to_owned(),
            memory: total.unwrap_or_default() * 1024,
            system: format!("{name}, Linux {}", kernel.trim()),
            tools: tools.iter().map(|words| said(words)).collect(),
        }
    }

    /// The machine in one line.
    #[must_use]
    pub fn machine(&self) -> String {
        let gib = self.memory as f64 / f64::from(1 << 30);
        format!("{} cores of {}, {gib:.0} GiB, {}", self.cores, self.processor, self.system)
    }

    /// The build in one line.
    #[must_use]
    pub fn built(&self) -> String {
        let commit = &self.commit;
        if self.changed { format!("{commit} with changes") } else { commit.clone() }
    }
}

fn after<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim)
}

/// The first line that a program prints; empty if it fails to start.
fn said(words: &[&str]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let output =
        Command::new(program).args(arguments).current_dir(test_support::workspace::root()).output();
    let output = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned()
}
