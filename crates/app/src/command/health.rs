//! `boxoffice health`: asks a running node how it is, for the health check of a container, which has
//! no other client.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::node::Node;
use super::{complain, fail, print};
use crate::config::{Config, ConfigDuration};

#[derive(Args)]
pub(super) struct Arguments {
    /// Ask only whether the process responds, which is also true while it drains
    #[arg(long)]
    live: bool,
    /// The time limit
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    timeout: ConfigDuration,
    /// The address of the operations listener; by default the configured one
    #[arg(long, value_name = "ADDRESS:PORT")]
    ops: Option<SocketAddr>,
}

/// The answer of a probe, as far as it is printed.
#[derive(Deserialize)]
struct Health {
    status: String,
    #[serde(default)]
    down: Vec<Outage>,
}

#[derive(Deserialize)]
struct Outage {
    dependency: String,
}

/// Asks for `/readyz` by default: without a store a node stays ready, and a restart would not help.
pub(super) fn run(arguments: &Arguments, config: &Config) -> ExitCode {
    let bound = arguments.ops.unwrap_or(config.ops.bind);
    let node = Node::at(bound, arguments.timeout.0);
    let path = if arguments.live { "/livez" } else { "/readyz" };
    let (is_well, text) = match node.answer(path) {
        Ok(answer) => answer,
        Err(error) => {
            return fail(format_args!("no health from http://{}{path}: {error}", node.address()));
        }
    };
    let Ok(Health { status, down }) = serde_json::from_str(&text) else {
        return fail(format_args!("http://{}{path} is not a node's health", node.address()));
    };
    if !is_well {
        complain(status);
        return ExitCode::FAILURE;
    }
    let missing: Vec<String> = down.into_iter().map(|outage| outage.dependency).collect();
    if missing.is_empty() {
        print(format_args!("{status}\n"))
    } else {
        print(format_args!("{status}, without {}\n", missing.join(", ")))
    }
}
