//! The configuration of a private Redis server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::error::{Doing as _, Outcome};

/// The configuration of a server. The default is a single server that keeps its data in an
/// append-only file, synced to disk every second, and refuses writes when its memory is full.
#[derive(Clone, Debug, Default)]
pub struct RedisSetup {
    kind: Kind,
    primary: Option<SocketAddr>,
    port: Option<u16>,
    tls: Option<RedisTlsFiles>,
    lines: Vec<String>,
}

/// What a server shows and asks for on its TLS port, in PEM.
#[derive(Clone, Debug)]
pub struct RedisTlsFiles {
    /// The certificates of the authorities that clients' certificates come from.
    pub authorities: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Whether clients must have a certificate.
    pub asks_clients: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Kind {
    #[default]
    Data,
    Cluster,
    Sentinel,
}

/// The ports of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ports {
    pub(super) port: u16,
    pub(super) bus_port: u16,
    /// Used only by a server with TLS.
    pub(super) tls_port: u16,
}

/// Replicas sync without delay, since there are no other replicas to wait for.
const DATA: &str = "\
save \"\"
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
repl-diskless-sync-delay 0
";

/// The time in milliseconds after which a silent node counts as down.
const NODE_TIMEOUT: u32 = 2000;

impl RedisSetup {
    /// Adds a line of configuration after the standard ones, such as
    /// `maxmemory-policy allkeys-lru`, `appendonly no` or `requirepass secret`.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Makes the server a replica of this one.
    #[must_use]
    pub fn replica_of(self, primary: SocketAddr) -> Self {
        Self { primary: Some(primary), ..self }
    }

    /// Uses this port instead of a free one.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Makes the server listen on a TLS port as well, and use TLS towards other servers.
    #[must_use]
    pub fn tls(self, files: RedisTlsFiles) -> Self {
        Self { tls: Some(files), ..self }
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Writes the files that the configuration names.
    pub(super) fn write_files(&self, folder: &Path) -> Outcome {
        let Some(tls) = &self.tls else { return Ok(()) };
        for (name, text) in
            [("ca.pem", &tls.authorities), ("tls.pem", &tls.certificate), ("tls.key", &tls.key)]
        {
            fs::write(folder.join(name), text).doing(format!("writing {name}"))?;
        }
        Ok(())
    }

    pub(super) fn fixed_port(&self) -> Option<u16> {
        self.port
    }

    /// Makes the server a cluster node, without slots or known peers.
    #[must_use]
    pub fn cluster(self) -> Self {
        Self { kind: Kind::Cluster, ..self }
    }

    /// Makes the server a sentinel; configuration lines say what it watches.
    #[must_use]
    pub fn sentinel(self) -> Self {
        Self { kind: Kind::Sentinel, ..self }
    }

    pub(super) fn is_sentinel(&self) -> bool {
        self.kind == Kind::Sentinel
    }

    /// The password for clients.
    pub(super) fn password(&self) -> Option<&str> {
        let mut passwords = self.lines.iter().filter_map(|line| line.strip_prefix("requirepass "));
        passwords.next_back().map(|password| password.trim().trim_matches('"'))
    }

    /// The text of the configuration file. It sets the cluster bus port, because the default, 10000
    /// above the port, may not be available.
    pub(super) fn text(&self, folder: &Path, ports: Ports) -> String {
        let Ports { port, bus_port, tls_port } = ports;
        let mut text =
            format!("bind 127.0.0.1\nport {port}\ndaemonize no\ndir \"{}\"\n", folder.display());
        text += match self.kind {
            Kind::Sentinel => "",
            Kind::Data | Kind::Cluster => DATA,
        };
        if self.kind == Kind::Cluster {
            text += &format!(
                "cluster-enabled yes\ncluster-port {bus_port}\ncluster-node-timeout {NODE_TIMEOUT}\n\
                 cluster-require-full-coverage no\ncluster-replica-validity-factor 0\n\
                 cluster-allow-reads-when-down no\n"
            );
        }
        if let Some(tls) = &self.tls {
            let asks = if tls.asks_clients { "yes" } else { "no" };
            text += &format!(
                "tls-port {tls_port}\ntls-ca-cert-file ca.pem\ntls-cert-file tls.pem\n\
                 tls-key-file tls.key\ntls-auth-clients {asks}\ntls-replication yes\n"
            );
            if self.kind == Kind::Cluster {
                text += "tls-cluster yes\n";
            }
        }
        if let Some(primary) = self.primary {
            text += &format!("replicaof {} {}\n", primary.ip(), primary.port());
        }
        self.lines.iter().fold(text, |text, line| text + line + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(setup: &RedisSetup) -> String {
        setup.text(Path::new("/folder"), Ports { port: 1, bus_port: 2, tls_port: 3 })
    }

    #[test]
    fn lines_of_a_test_come_last_and_take_precedence() {
        let setup = RedisSetup::default().line("appendonly no").line("requirepass secret");
        assert!(text(&setup).ends_with("appendonly no\nrequirepass secret\n"));
        assert_eq!(setup.password(), Some("secret"));
        assert_eq!(RedisSetup::default().password(), None);
    }

    #[test]
    fn a_setup_determines_the_kind_of_server() {
        assert!(!text(&RedisSetup::default()).contains("cluster"));
        assert!(text(&RedisSetup::default().cluster()).contains("\ncluster-port 2\n"));
        let replica = RedisSetup::default().replica_of(SocketAddr::from(([127, 0, 0, 1], 7)));
        assert!(text(&replica).contains("\nreplicaof 127.0.0.1 7\n"));
        assert!(!text(&RedisSetup::default().sentinel()).contains("appendonly"));
    }
}
