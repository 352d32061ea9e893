//! A k6 script that runs in the background.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;

use tempfile::NamedTempFile;
use test_support::{Doing as _, Outcome, failed, find_or_install_k6};

/// Killed when dropped.
pub(crate) struct Script {
    file: PathBuf,
    process: Child,
    output: NamedTempFile,
}

/// The approximate number of lines in k6's summary.
const LINES: usize = 45;

impl Script {
    pub(crate) fn start(file: &Path) -> Outcome<Self> {
        let output = NamedTempFile::new().doing("making a temporary file")?;
        let log = |file: &File| file.try_clone().doing("opening a log");
        let mut command = find_or_install_k6(|line| println!("{line}"))?.command();
        command.args(["run", "--quiet", "--no-color"]).arg(file);
        command.stdout(log(output.as_file())?).stderr(log(output.as_file())?);
        let process = command.spawn().doing("starting k6")?;
        Ok(Self { file: file.to_owned(), process, output })
    }

    /// Waits for the end and prints k6's summary. Fails if a threshold was crossed.
    pub(crate) fn join(self) -> Outcome {
        let name = self.name();
        let (is_good, text) = self.end()?;
        println!("\n{text}");
        if is_good { Ok(()) } else { Err(failed(format!("k6 run {name} failed"))) }
    }

    /// Waits for the end, and returns whether all thresholds held, and the end of k6's output.
    pub(crate) fn end(mut self) -> Outcome<(bool, String)> {
        let status = self.process.wait().doing("waiting for k6")?;
        let text = std::fs::read_to_string(self.output.path()).doing("reading what k6 printed")?;
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
        Ok((status.success(), format!("k6 run {}: {status}\n{end}", self.name())))
    }

    /// The file name without its folder, which differs between machines.
    fn name(&self) -> String {
        self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy().into_owned()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
