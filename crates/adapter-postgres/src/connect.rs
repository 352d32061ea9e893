//! Opening connections.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::PostgresAddress;
use crate::connection::{Connection, Statements};
use crate::error::SetupError;
use crate::limits::SessionLimits;
use crate::pooler::Pooler;
use crate::session::{ConnectionTask, Session};

/// The settings of new connections.
#[derive(Clone)]
pub(crate) struct Connector {
    address: PostgresAddress,
    limits: SessionLimits,
    tls: Option<MakeRustlsConnect>,
}

impl Connector {
    /// Loads the machine's root certificates if the address requires TLS.
    pub(crate) fn new(address: PostgresAddress, limits: SessionLimits) -> Result<Self, SetupError> {
        let tls =
            if address.wants_tls() { Some(MakeRustlsConnect::new(tls_config()?)) } else { None };
        Ok(Self { address, limits, tls })
    }

    pub(crate) fn address(&self) -> &PostgresAddress {
        &self.address
    }

    pub(crate) fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// Opens a session for queries, within the connect timeout.
    pub(crate) async fn session(&self) -> Result<Session, SetupError> {
        let made = Instant::now();
        let (client, driver) = self.connect().await?;
        Ok(Session::new(Connection::new(client, self.statements()), driver, made))
    }

    fn statements(&self) -> Statements {
        match self.address.pooler() {
            Pooler::None | Pooler::Session => Statements::prepared(),
            Pooler::Transaction => Statements::each_in_a_transaction(self.limits),
        }
    }

    /// Opens a raw driver connection, within the connect timeout.
    pub(crate) async fn connect(&self) -> Result<(Client, ConnectionTask), SetupError> {
        self.within_limit(self.open()).await
    }

    async fn within_limit<T>(
        &self,
        connecting: impl Future<Output = Result<T, SetupError>>,
    ) -> Result<T, SetupError> {
        let late = |_| {
            Err(SetupError::unreachable(&self.address, "no answer within postgres.connect_timeout"))
        };
        timeout(self.limits.connect, connecting).await.unwrap_or_else(late)
    }

    /// Opens a connection with its limits set, if it is a session of its own on the server. Must be
    /// called inside a runtime, which runs the connection's task.
    async fn open(&self) -> Result<(Client, ConnectionTask), SetupError> {
        let mut config = self.address.config().clone();
        if self.address.pooler() == Pooler::None {
            let ours = self.limits.options();
            let options = config
                .get_options()
                .map_or_else(|| ours.clone(), |given| format!("{given} {ours}"));
            config.options(options);
        }
        let refused = |error| SetupError::of(&error, &self.address);
        let (client, driver) = self.start(&config).await.map_err(refused)?;
        if self.address.pooler() == Pooler::Session {
            // Poolers refuse startup options.
            client.batch_execute(&self.limits.for_the_session()).await.map_err(refused)?;
        }
        Ok((client, driver))
    }

    async fn start(
        &self,
        config: &Config,
    ) -> Result<(Client, ConnectionTask), tokio_postgres::Error> {
        match &self.tls {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, ConnectionTask::start(connection)))
            }
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, ConnectionTask::start(connection)))
            }
        }
    }
}

/// TLS that trusts the machine's certificate store, or the one `SSL_CERT_FILE` names.
fn tls_config() -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    let found: Vec<CertificateDer<'static>> = rustls_native_certs::load_native_certs().certs;
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(SetupError::NoRootCertificates);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| SetupError::Tls { why: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
