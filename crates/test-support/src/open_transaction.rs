//! A transaction that stays open.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use crate::binaries::PostgresBinaries;
use crate::error::{Doing as _, Outcome, failed};

/// A transaction that ran a statement. It stays open until this is dropped, and is then rolled
/// back.
pub struct OpenTransaction(Child);

impl OpenTransaction {
    pub(crate) fn by(binaries: &PostgresBinaries, url: &str, statement: &str) -> Outcome<Self> {
        let mut command = binaries.command("psql");
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            url,
        ]);
        let mut client =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().doing("starting psql")?;
        let (input, output) = (client.stdin.as_mut(), client.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(failed("psql has no pipes"));
        };
        writeln!(input, "BEGIN;\n{statement};\n\\echo held").doing("writing to psql")?;
        let mut said = String::new();
        BufReader::new(output).read_line(&mut said).doing("reading from psql")?;
        let held = Self(client);
        if said.trim() == "held" { Ok(held) } else { Err(failed(format!("`{statement}` failed"))) }
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
