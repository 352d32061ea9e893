//! `cargo xtask postgres`, and filled databases for other tasks.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use test_support::{Durability, Postgres, find_or_install_postgres};

use crate::run::{build_release, cargo, release_binary, run, show};
use test_support::{Doing as _, Outcome, failed};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The port to listen on; a free one by default
    #[arg(long)]
    port: Option<u16>,
    /// A folder that keeps the data after the server ends, for the next start
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs a private server until this program ends, Ctrl-C included.
pub(crate) fn postgres(arguments: &Arguments) -> Outcome {
    let binaries = find_or_install_postgres(|line| println!("{line}"))?;
    let server =
        Postgres::start_at(binaries, Durability::Full, arguments.port, arguments.keep.as_deref())?;
    println!("a private Postgres server, until Ctrl-C:\n{}", server.url("postgres"));
    loop {
        std::thread::park();
    }
}

/// A server with default settings, except for its folder and port.
fn start() -> Outcome<Postgres> {
    let binaries = find_or_install_postgres(|line| println!("{line}"))?;
    Postgres::start(binaries, Durability::Full)
}

/// A server whose database `postgres` has the schema and sample data, written by the release
/// binary.
pub(crate) struct Filled {
    pub(crate) server: Postgres,
}

impl Filled {
    pub(crate) fn start(concerts: u32, seats: u64) -> Outcome<Self> {
        build_release()?;
        Self::by(&release_binary(), concerts, seats)
    }

    /// The same, written by another binary.
    pub(crate) fn by(program: &Path, concerts: u32, seats: u64) -> Outcome<Self> {
        let filled = Self { server: start()? };
        filled.boxoffice(program, &["migrate"])?;
        let (concerts, seats) = (concerts.to_string(), seats.to_string());
        filled.boxoffice(program, &["seed", "--concerts", &concerts, "--seats", &seats])?;
        // Autovacuum would do this later.
        filled.sql("VACUUM ANALYZE")?;
        Ok(filled)
    }

    pub(crate) fn url(&self) -> String {
        self.server.url("postgres")
    }

    pub(crate) fn sql(&self, text: &str) -> Outcome<String> {
        self.server.sql("postgres", text)
    }

    fn boxoffice(&self, program: &Path, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(program);
        command.args(arguments).env("BOXOFFICE__POSTGRES__URL", self.url());
        run(command)
    }
}

/// The benchmark program of the adapter, built.
pub(crate) struct DatesProgram;

impl DatesProgram {
    pub(crate) fn build() -> Outcome<Self> {
        run(Self::cargo(&["--no-run"]))?;
        Ok(Self)
    }

    fn cargo(arguments: &[&str]) -> Command {
        let mut command = cargo(&[
            "bench",
            "--quiet",
            "--locked",
            "--package",
            "adapter-postgres",
            "--bench",
            "dates",
        ]);
        command.args(arguments);
        command
    }

    /// Runs it and returns its output.
    pub(crate) fn run(&self, words: &[&str]) -> Outcome<String> {
        let mut command = Self::cargo(&["--"]);
        command.args(words);
        output(&mut command)
    }

    /// The statement of the dates query, as the adapter sends it.
    pub(crate) fn statement(&self) -> Outcome<String> {
        Ok(self.run(&["statement"])?.trim().to_owned())
    }
}

/// Runs to the end and returns standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let shown = show(command);
    println!("$ {shown}");
    let output = command.output().doing(format!("starting `{shown}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(format!(
        "`{shown}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}
