//! Encrypted connections to Redis.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Files in PEM, of which all may be absent.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The certificates of the authorities that sign those of the servers. Without it, the
    /// machine's own.
    pub authorities: Option<PathBuf>,
    /// The certificate of this client, followed by those between it and its authority, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How servers are verified, and what they are shown. The certificate of a server is always
/// verified, with its host name. Clones share it.
#[derive(Clone)]
pub struct RedisTls(Arc<ClientConfig>);

/// Why TLS cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidTls {
    /// A file cannot be read, or is not what it should be.
    #[error("{}: {why}", shown(path))]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// The machine has no certificates of authorities.
    #[error("this machine has no root certificates (SSL_CERT_FILE names others)")]
    NoRootCertificates,
    /// The library does not accept them.
    #[error("{0}")]
    Refused(String),
}

impl RedisTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`InvalidTls`].
    pub fn load(files: &TlsFiles) -> Result<Self, InvalidTls> {
        let mut roots = RootCertStore::empty();
        match &files.authorities {
            Some(path) => {
                for certificate in certificates(path)? {
                    let added = roots.add(certificate);
                    added.map_err(|error| unusable(path, &error))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(InvalidTls::NoRootCertificates);
        }
        let refused = |error: rustls::Error| InvalidTls::Refused(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(roots);
        let config = match &files.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key_in_file = PrivateKeyDer::from_pem_file(regular_file(key)?);
                let key_in_file = key_in_file.map_err(|error| unreadable(key, &error))?;
                let config = builder.with_client_auth_cert(chain, key_in_file);
                config.map_err(|error| unusable(key, &error))?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }
}

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisTls")
    }
}

/// The path, unless it is no path: it may be the content of a key file in the wrong place.
fn shown(path: &Path) -> String {
    const LONGEST: usize = 255;
    let text = path.display().to_string();
    let is_path = text.len() <= LONGEST && !text.contains(['\n', '\r']) && !text.contains("BEGIN ");
    if is_path { text } else { "what is given is not the name of a file".to_owned() }
}

/// Opening a pipe without a writer would wait for ever.
fn regular_file(path: &Path) -> Result<&Path, InvalidTls> {
    let why = match std::fs::metadata(path) {
        Ok(file) if file.is_file() => return Ok(path),
        Ok(_) => "is not a regular file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(InvalidTls::File { path: path.to_owned(), why })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, InvalidTls> {
    let found = CertificateDer::pem_file_iter(regular_file(path)?)
        .map_err(|error| unreadable(path, &error))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(path, &error))?;
    if found.is_empty() { Err(unreadable(path, &pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn unreadable(path: &Path, error: &pem::Error) -> InvalidTls {
    let why = if let pem::Error::Io(error) = error {
        error.to_string()
    } else if matches!(error, pem::Error::NoItemsFound) {
        "has no certificate or key in PEM".to_owned()
    } else {
        "is not in PEM".to_owned()
    };
    InvalidTls::File { path: path.to_owned(), why }
}

fn unusable(path: &Path, error: &rustls::Error) -> InvalidTls {
    InvalidTls::File { path: path.to_owned(), why: error.to_string() }
}

/// The clients report a failed handshake by the names that the library has for it. What a client
/// does not understand, and what the server does not accept.
const REASONS: [(&str, &str); 9] = [
    ("UnknownIssuer", "the server's certificate comes from an unknown authority"),
    ("BadSignature", "the server's certificate comes from an unknown authority"),
    ("expired", "the server's certificate has expired"),
    ("Expired", "the server's certificate has expired"),
    ("NotValidForName", "the server's certificate is not for this host"),
    ("not valid for name", "the server's certificate is not for this host"),
    ("CertificateRequired", "the server asks for a client's certificate"),
    ("UnknownCA", "the server does not know the authority of the client's certificate"),
    ("InvalidContentType", "the server does not speak TLS"),
];

/// Why an encrypted connection failed, if it is known.
pub(crate) fn in_words(said: &str) -> Option<&'static str> {
    REASONS.iter().find(|(name, _)| said.contains(name)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clients_reports_have_the_same_words() {
        for (said, words) in [
            (
                "Custom { kind: InvalidData, error: InvalidCertificate(ExpiredContext { .. }) }",
                "expired",
            ),
            ("invalid peer certificate: certificate expired: verification time 1", "expired"),
            ("invalid peer certificate: UnknownIssuer", "unknown authority"),
            ("InvalidCertificate(NotValidForNameContext { .. })", "not for this host"),
            ("received fatal alert: CertificateRequired", "asks for a client's certificate"),
        ] {
            assert!(in_words(said).unwrap().contains(words), "{said}");
        }
        assert_eq!(in_words("Connection refused (os error 111)"), None);
    }
}
