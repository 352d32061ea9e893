//! Filled databases.

use std::path::Path;
use std::process::Command;

use test_support::workspace::{build_release, release_binary, run};
use test_support::{Durability, Outcome, Postgres, find_or_install_postgres};

/// A server with default settings, except for its folder and port.
fn start() -> Outcome<Postgres> {
    let binaries = find_or_install_postgres(|line| println!("{line}"))?;
    Postgres::start(binaries, Durability::Full)
}

/// A server whose database `postgres` has the schema and sample data, written by the release
/// binary.
pub struct Filled {
    /// The server.
    pub server: Postgres,
}

impl Filled {
    /// Builds the release binary, and fills a database with it.
    ///
    /// # Errors
    /// If the build, the server or the binary fails.
    pub fn start(concerts: u32, seats: u64) -> Outcome<Self> {
        build_release()?;
        Self::by(&release_binary(), concerts, seats)
    }

    /// The same, written by another binary.
    ///
    /// # Errors
    /// If the server or the binary fails.
    pub fn by(program: &Path, concerts: u32, seats: u64) -> Outcome<Self> {
        let filled = Self { server: start()? };
        filled.boxoffice(program, &["migrate"])?;
        let (concerts, seats) = (concerts.to_string(), seats.to_string());
        filled.boxoffice(program, &["seed", "--concerts", &concerts, "--seats", &seats])?;
        // Autovacuum would do this later.
        filled.sql("VACUUM ANALYZE")?;
        Ok(filled)
    }

    /// The address of the database.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("postgres")
    }

    /// Runs statements with psql and returns its output.
    ///
    /// # Errors
    /// If psql fails.
    pub fn sql(&self, text: &str) -> Outcome<String> {
        self.server.sql("postgres", text)
    }

    fn boxoffice(&self, program: &Path, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(program);
        command.args(arguments).env("BOXOFFICE__POSTGRES__URL", self.url());
        run(command)
    }
}
