//! A database for one test.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::binaries::PostgresBinaries;
use crate::error::{Outcome, failed};
use crate::open_transaction::OpenTransaction;
use crate::postgres::{Durability, Postgres, psql};

/// The environment variable with the superuser's URL of the server of this run, without the
/// database name.
pub const SERVER_VARIABLE: &str = "BOXOFFICE_TEST_POSTGRES";

/// A database for one test, on the server of the run. Dropping this drops the database.
pub struct Database {
    server: &'static Server,
    name: String,
}

/// The server that all tests of this process share.
struct Server {
    binaries: PostgresBinaries,
    /// The superuser's URL without the database name.
    url: String,
    /// A server of this process, if none was started for the run; it ends with the process.
    _own: Option<Postgres>,
    /// The name of the template, once it exists.
    template: Mutex<Option<String>>,
}

impl Database {
    /// Copies the template. The first call creates the template: an empty database whose URL
    /// `migrate` gets.
    ///
    /// # Errors
    /// If no server exists and none can be started, or `migrate` fails.
    pub fn create(migrate: impl FnOnce(&str) -> Result<(), String>) -> Outcome<Self> {
        let server = server()?;
        let template = server.template(migrate)?;
        server.database(&format!("TEMPLATE {template}"))
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// If no server exists and none can be started.
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
    /// The error of the server.
    pub fn sql(&self, text: &str) -> Outcome<String> {
        psql(&self.server.binaries, &self.url(), text)
    }

    /// Runs a statement, such as `LOCK TABLE`, in a transaction that stays open until the returned
    /// value is dropped.
    ///
    /// # Errors
    /// If the statement fails.
    pub fn hold(&self, statement: &str) -> Outcome<OpenTransaction> {
        OpenTransaction::by(&self.server.binaries, &self.url(), statement)
    }

    /// The address that the server listens on.
    ///
    /// # Errors
    /// If the server's URL is invalid.
    pub fn server_address(&self) -> Outcome<SocketAddr> {
        let (_, place) = self.server.url.rsplit_once('@').ok_or_else(|| failed("no server"))?;
        place.parse().map_err(|_| failed(format!("{place} is not an address")))
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

    /// Each test program has its own template, since programs can be built from different
    /// migrations.
    fn template(&self, migrate: impl FnOnce(&str) -> Result<(), String>) -> Outcome<String> {
        let mut made = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = &*made {
            return Ok(name.clone());
        }
        let name = unique_database_name("template");
        self.sql(&format!("CREATE DATABASE {name}"))?;
        migrate(&format!("{}/{name}", self.url)).map_err(failed)?;
        *made = Some(name.clone());
        Ok(name)
    }

    fn database(&'static self, how: &str) -> Outcome<Database> {
        let name = unique_database_name("test");
        self.sql(&format!("CREATE DATABASE {name} {how}"))?;
        Ok(Database { server: self, name })
    }
}

/// The name of a database that no other test program and no other test has.
fn unique_database_name(purpose: &str) -> String {
    static DATABASES: AtomicU32 = AtomicU32::new(1);
    format!("{purpose}_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed))
}
