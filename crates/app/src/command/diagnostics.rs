//! `boxoffice diagnostics`: collects everything needed to diagnose a node in one file to send.

mod bundle;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use domain::Clock as _;

use self::bundle::Bundle;
use super::node::Node;
use super::{VERSION, fail, print};
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// The address of the operations listener; by default the configured one
    #[arg(long, value_name = "ADDRESS:PORT")]
    ops: Option<SocketAddr>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "boxoffice-diagnostics.tar.gz")]
    out: PathBuf,
}

/// The time limit of one request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each path requested from the node and its file name in the bundle.
const ASKED: [(&str, &str); 7] = [
    ("/livez", "livez.json"),
    ("/startupz", "startupz.json"),
    ("/readyz", "readyz.json"),
    ("/readyz/node", "readyz-node.json"),
    ("/protection", "protection.json"),
    ("/failures", "failures.json"),
    ("/metrics", "metrics.txt"),
];

pub(super) fn run(arguments: &Arguments, config: &Config) -> ExitCode {
    let node = Node::at(arguments.ops.unwrap_or(config.ops.bind), PATIENCE);
    match collect(&node, config).and_then(|bundle| bundle.write(&arguments.out)) {
        Ok(contents) => print(format_args!("{contents}written to {}\n", arguments.out.display())),
        Err(error) => fail(format_args!(
            "no diagnostics were written to {}: {error}",
            arguments.out.display()
        )),
    }
}

/// An unreachable node is itself a finding: its errors go into the bundle with everything else.
fn collect(node: &Node, config: &Config) -> std::io::Result<Bundle> {
    let now = adapter_memory::SystemClock.now();
    let mut bundle = Bundle::new(now);
    let about = format!(
        "boxoffice {VERSION}\ntaken at {now}\nfrom {}\nconfiguration {} (of this command; failures.json has the hash of the node's)\n",
        node.address(),
        config.hash().map_err(std::io::Error::other)?,
    );
    bundle.add("about.txt", about)?;
    bundle.add("config.toml", config.to_toml().map_err(std::io::Error::other)?)?;
    for (path, name) in ASKED {
        match node.request(path) {
            Ok(text) => bundle.add(name, text)?,
            Err(error) => bundle.add(&format!("{name}.error"), format!("{error}\n"))?,
        }
    }
    Ok(bundle)
}
