//! A database for one test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::binaries::PostgresBinaries;
use crate::error::{Doing as _, Outcome, failed};
use crate::postgres::{Durability, Postgres, psql};

/// The environment variable with the superuser's URL of the server of this run, up to the database's name.
pub const SERVER_VARIABLE: &str = "BOXOFFICE_TEST_POSTGRES";

/// A test's own database on the server of the run; dropped with this.
pub struct Database {
    server: &'static Server,
    name: String,
}

/// A transaction in which a statement was run, open until this is dropped; then it is rolled back.
pub struct Held(Child);

impl Held {
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
        if said.trim() == "held" {
            Ok(held)
        } else {
            Err(failed(format!("`{statement}` did not succeed")))
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server all tests of this process share.
struct Server {
    binaries: PostgresBinaries,
    /// The superuser's URL without the database's name.
    url: String,
    /// A server of this process, when nobody started one for the run; it ends with the process.
    _own: Option<Postgres>,
    /// The template is made once.
    template: Mutex<Option<String>>,
}

impl Database {
    /// A copy of the template. The first call makes the template, an empty database that `migrate` is given the URL of.
    ///
    /// # Errors
    /// When there is no server and none can be started, or `migrate` fails.
    pub fn create(migrate: impl FnOnce(&str) -> Result<(), String>) -> Outcome<Self> {
        let server = server()?;
        let template = server.template(migrate)?;
        server.database(&format!("TEMPLATE {template}"))
    }

    /// A database with nothing in it.
    ///
    /// # Errors
    /// When there is no server and none can be started.
    pub fn empty() -> Outcome<Self> {
        server()?.database("")
    }

    /// Its URL, as the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.server.url, self.name)
    }

    /// Its URL with another user, `name` or `name:password`.
    #[must_use]
    pub fn url_as(&self, user: &str) -> String {
        self.url().replace("postgres@", &format!("{user}@"))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL as the superuser and returns what it prints.
    ///
    /// # Errors
    /// What the server said.
    pub fn sql(&self, text: &str) -> Outcome<String> {
        psql(&self.server.binaries, &self.url(), text)
    }

    /// Runs a statement, such as `LOCK TABLE`, in a transaction that stays open as long as the answer is kept.
    ///
    /// # Errors
    /// When the statement fails.
    pub fn hold(&self, statement: &str) -> Outcome<Held> {
        Held::by(&self.server.binaries, &self.url(), statement)
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// When the URL it was given by is none.
    pub fn server_address(&self) -> Outcome<SocketAddr> {
        let (_, place) = self.server.url.rsplit_once('@').ok_or_else(|| failed("no server"))?;
        place.parse().map_err(|_| failed(format!("{place} is no address")))
    }

    /// A command that runs one of the server's programs, such as `psql`.
    #[must_use]
    pub fn command(&self, program: &str) -> std::process::Command {
        self.server.binaries.command(program)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.server.sql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn server() -> Outcome<&'static Server> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::find_or_start().map_err(|error| error.to_string()));
    server.as_ref().map_err(|error| failed(error.clone()))
}

impl Server {
    fn find_or_start() -> Outcome<Self> {
        let binaries = PostgresBinaries::find()?;
        let (url, own) = match std::env::var(SERVER_VARIABLE) {
            Ok(url) => (url, None),
            Err(_) => {
                let own = Postgres::start(binaries.clone(), Durability::None)?;
                (own.url_without_database(), Some(own))
            }
        };
        Ok(Self { binaries, url, _own: own, template: Mutex::new(None) })
    }

    fn sql(&self, text: &str) -> Outcome<String> {
        psql(&self.binaries, &format!("{}/postgres", self.url), text)
    }

    /// Every test program has a template of its own: two can have been built from different migrations.
    fn template(&self, migrate: impl FnOnce(&str) -> Result<(), String>) -> Outcome<String> {
        let mut made = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = &*made {
            return Ok(name.clone());
        }
        let name = unique("template");
        self.sql(&format!("CREATE DATABASE {name}"))?;
        migrate(&format!("{}/{name}", self.url)).map_err(failed)?;
        *made = Some(name.clone());
        Ok(name)
    }

    fn database(&'static self, how: &str) -> Outcome<Database> {
        let name = unique("test");
        self.sql(&format!("CREATE DATABASE {name} {how}"))?;
        Ok(Database { server: self, name })
    }
}

fn unique(what: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(1);
    format!("{what}_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
