//! HAProxy in front of the nodes.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_support::{Doing as _, Outcome, failed};

use super::node::Node;

/// Killed when dropped.
pub(super) struct Proxy {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// Every request may be retried on another node, even if the first may have executed it: a second
/// join finds the same place, and a second claim finds the session. Only a second DELETE would be
/// answered as if the place had not existed.
///
/// The backend `line` never gets requests. Its checks show which nodes can use the queue, for
/// requests that wait for it. After three successful checks, a node whose Redis is back has
/// refreshed its view of the queue too.
const CONFIGURATION: &str = "\
global
    maxconn 4000
    lua-load {wait}

defaults
    mode http
    timeout connect 500ms
    timeout client 60s
    timeout server 15s
    timeout http-request 10s
    timeout check 1s
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response response-timeout
    option splice-auto

frontend people
    bind {address}
    acl needs_the_line method POST DELETE
    acl needs_the_line path_beg /api/v1/concert/
    http-request lua.wait_for_the_line if needs_the_line { nbsrv(line) eq 0 }
    default_backend nodes

backend nodes
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    http-request disable-l7-retry if { method DELETE }
    default-server check inter 200ms fastinter 100ms fall 1 rise 2 observe layer4 error-limit 1 on-error mark-down
{servers}
backend line
    option httpchk GET /readyz
    http-check expect ! string redis
    default-server check inter 100ms fall 1 rise 3
{servers}";

/// See `wait.lua`.
const WAIT: &str = include_str!("wait.lua");

const START_LIMIT: Duration = Duration::from_secs(10);

impl Proxy {
    /// Starts HAProxy and waits until it listens.
    pub(super) fn start(program: &Path, address: SocketAddr, nodes: &[Node]) -> Outcome<Self> {
        if TcpStream::connect(address).is_ok() {
            return Err(failed(format!(
                "something listens on {address} already: --listen ADDRESS takes another"
            )));
        }
        let folder = tempfile::tempdir().doing("making a temporary folder")?;
        let file = folder.path().join("haproxy.cfg");
        let wait = folder.path().join("wait.lua");
        fs::write(&wait, WAIT).doing("writing the proxy's script")?;
        fs::write(&file, configuration(address, nodes, &wait))
            .doing("writing the proxy's configuration")?;
        let mut command = Command::new(program);
        // In the foreground; it reports when a node goes down.
        command.args(["-db", "-f"]).arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().doing("starting haproxy")?;
        let mut proxy = Self { process, address, _folder: folder };
        proxy.wait_until_it_listens()?;
        Ok(proxy)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_until_it_listens(&mut self) -> Outcome {
        let limit = Instant::now() + START_LIMIT;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.process.try_wait().doing("checking haproxy")? {
                return Err(failed(format!("haproxy ended with {status}")));
            }
            if Instant::now() > limit {
                return Err(failed(format!("haproxy does not listen on {}", self.address)));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(address: SocketAddr, nodes: &[Node], wait: &Path) -> String {
    let server = |(n, node): (usize, &Node)| {
        format!("    server node{} {} port {}\n", n + 1, node.public, node.ops.port())
    };
    let servers: String = nodes.iter().enumerate().map(server).collect();
    CONFIGURATION
        .replace("{wait}", &wait.display().to_string())
        .replace("{address}", &address.to_string())
        .replace("{servers}", &servers)
}
