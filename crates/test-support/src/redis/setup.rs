//! How a private Redis server is set up.

use std::net::SocketAddr;
use std::path::Path;

/// What a server is to be. The default is a single one that keeps its data in an append-only file, written to the disk
/// every second, and refuses writes when its memory is full.
#[derive(Clone, Debug, Default)]
pub struct RedisSetup {
    kind: Kind,
    primary: Option<SocketAddr>,
    lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Kind {
    #[default]
    Data,
    Cluster,
    Sentinel,
}

/// Replicas ask at once for what they lack, and get it at once: there is nobody else to wait for.
const DATA: &str = "\
save \"\"
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
repl-diskless-sync-delay 0
";

/// Milliseconds after which a node that does not answer counts as down.
const NODE_TIMEOUT: u32 = 2000;

impl RedisSetup {
    /// With a line of configuration after those that are always there, such as `maxmemory-policy allkeys-lru`,
    /// `appendonly no` or `requirepass secret`.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// As a replica of the server there.
    #[must_use]
    pub fn replica_of(self, primary: SocketAddr) -> Self {
        Self { primary: Some(primary), ..self }
    }

    /// As a node of a cluster, which has no slots yet and knows no other.
    #[must_use]
    pub fn cluster(self) -> Self {
        Self { kind: Kind::Cluster, ..self }
    }

    /// As a sentinel, which is told by lines what to watch.
    pub(super) fn sentinel(self) -> Self {
        Self { kind: Kind::Sentinel, ..self }
    }

    pub(super) fn is_sentinel(&self) -> bool {
        self.kind == Kind::Sentinel
    }

    /// What a client has to authenticate with.
    pub(super) fn password(&self) -> Option<&str> {
        let mut passwords = self.lines.iter().filter_map(|line| line.strip_prefix("requirepass "));
        passwords.next_back().map(|password| password.trim().trim_matches('"'))
    }

    /// The text of the configuration file. Without a port of its own the nodes of a cluster would speak to each other on
    /// one that is 10000 higher, which there may not be.
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
    fn lines_of_a_test_come_last_and_so_win() {
        let setup = RedisSetup::default().line("appendonly no").line("requirepass secret");
        assert!(text(&setup).ends_with("appendonly no\nrequirepass secret\n"));
        assert_eq!(setup.password(), Some("secret"));
        assert_eq!(RedisSetup::default().password(), None);
    }

    #[test]
    fn a_server_is_what_it_is_told_to_be() {
        assert!(!text(&RedisSetup::default()).contains("cluster"));
        assert!(text(&RedisSetup::default().cluster()).contains("\ncluster-port 2\n"));
        let replica = RedisSetup::default().replica_of(SocketAddr::from(([127, 0, 0, 1], 7)));
        assert!(text(&replica).contains("\nreplicaof 127.0.0.1 7\n"));
        assert!(!text(&RedisSetup::default().sentinel()).contains("appendonly"));
    }
}
