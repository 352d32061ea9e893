//! Certificates for servers and clients.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use adapter_redis::{RedisTls, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use tempfile::TempDir;
use test_support::RedisTlsFiles;

/// An authority, and a folder for what it signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in PEM.
pub(crate) struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        // Authorities of one name would be taken for each other, until a signature is verified.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// An identity for this host.
    pub(crate) fn sign(&self, host: &str) -> Identity {
        self.signed(CertificateParams::new([host.to_owned()]).unwrap())
    }

    /// An identity for this host that was valid once.
    pub(crate) fn sign_expired(&self, host: &str) -> Identity {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.signed(params)
    }

    fn signed(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// What a server with this identity needs; it knows clients by this authority.
    pub(crate) fn server(&self, identity: Identity, asks_clients: bool) -> RedisTlsFiles {
        let Identity { certificate, key } = identity;
        RedisTlsFiles { authorities: self.issuer.pem(), certificate, key, asks_clients }
    }

    /// What a client needs that knows servers by this authority.
    pub(crate) fn client(&self, identity: Option<Identity>) -> RedisTls {
        RedisTls::load(&self.files(identity)).unwrap()
    }

    pub(crate) fn files(&self, identity: Option<Identity>) -> TlsFiles {
        TlsFiles {
            authorities: Some(self.file("ca.pem", &self.issuer.pem())),
            identity: identity.map(|Identity { certificate, key }| {
                (self.file("client.pem", &certificate), self.file("client.key", &key))
            }),
        }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}
