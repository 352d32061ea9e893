//! Setting up connections.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::Address;
use crate::error::SetupError;
use crate::session::{Driver, SessionLimits};

/// What new connections are made with.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    address: Address,
    limits: SessionLimits,
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    /// Reads the machine's root certificates when the address wants TLS.
    pub(crate) fn new(address: Address, limits: SessionLimits) -> Result<Self, SetupError> {
        let tls = if address.wants_tls() { Some(Arc::new(tls_config()?)) } else { None };
        Ok(Self { address, limits, tls })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection with its limits set, within the time limit for connecting. Must be called inside a runtime, on which
    /// the connection's own task runs.
    pub(crate) async fn connect(&self) -> Result<(Client, Driver), SetupError> {
        let mut config = self.address.config().clone();
        let ours = self.limits.options();
        let options = config.get_options().map_or_else(|| ours.clone(), |given| format!("{given} {ours}"));
        config.options(options);
        let connecting = async {
            match &self.tls {
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    Ok((client, Driver::start(connection)))
                }
                Some(tls) => {
                    let tls = MakeRustlsConnect::new(ClientConfig::clone(tls));
                    let (client, connection) = config.connect(tls).await?;
                    Ok((client, Driver::start(connection)))
                }
            }
        };
        match timeout(self.limits.connect, connecting).await {
            Ok(connected) => connected.map_err(|error| SetupError::of(&error, &self.address)),
            Err(_) => {
                Err(SetupError::unreachable(&self.address, "no answer within postgres.connect_timeout"))
            }
        }
    }
}

/// TLS that accepts what the machine's own certificate store vouches for, or the one `SSL_CERT_FILE` names.
fn tls_config() -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    let found: Vec<CertificateDer<'static>> = rustls_native_certs::load_native_certs().certs;
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(SetupError::NoRootCertificates);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| SetupError::Tls { why: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
