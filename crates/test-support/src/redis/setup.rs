//! The configuration of a private Redis server.

use std::net::SocketAddr;
use std::path::Path;

/// The configuration of a server. The default is a single server that keeps its data in an
/// append-only file, synced to disk every second, and refuses writes when its memory is full.
#[derive(Clone, Debug, Default)]
pub struct RedisSetup {
    kind: Kind,
    primary: Option<SocketAddr>,
    port: Option<u16>,
    lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Kind {
    #[default]
    Data,
    Cluster,
    Sentinel,
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

    pub(super) fn fixed_port(&self) -> Option<u16> {
        self.port
    }

    /// Makes the server a cluster node, without slots or known peers.
    #[must_use]
    pub fn cluster(self) -> Self {
        Self { kind: Kind::Cluster, ..self }
    }

    /// Makes the server a sentinel; configuration lines say what it watches.
    pub(super) fn sentinel(self) -> Self {
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
    pub(super) fn text(&self, folder: &Path, port: u16, bus_port: u16) -> String {
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
        setup.text(Path::new("/folder"), 1, 2)
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
