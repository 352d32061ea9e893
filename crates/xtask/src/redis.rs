//! `cargo xtask redis`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use test_support::{Doing as _, Outcome, Redis, RedisCluster, RedisSetup, find_or_install_redis};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Start a cluster of three primaries with a replica each
    #[arg(long, conflicts_with_all = ["port", "keep"])]
    cluster: bool,
    /// The port to listen on; a free one by default
    #[arg(long)]
    port: Option<u16>,
    /// A folder that keeps the data after the server ends, for the next start
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs a private server, or a cluster, until this program ends, Ctrl-C included.
pub(crate) fn redis(arguments: &Arguments) -> Outcome {
    let binaries = find_or_install_redis(|line| println!("{line}"))?;
    if arguments.cluster {
        let cluster = RedisCluster::start(&binaries, 3, 1)?;
        let addresses: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
        println!("a private Redis cluster, until Ctrl-C:\nredis-cluster://{}", addresses.join(","));
        wait_for_the_end();
    }
    let mut setup = RedisSetup::default();
    if let Some(port) = arguments.port {
        setup = setup.port(port);
    }
    if let Some(folder) = &arguments.keep {
        setup = setup.line(format!("dir \"{}\"", made(folder)?.display()));
    }
    let server = Redis::start(&binaries, setup)?;
    println!("a private Redis server, until Ctrl-C:\nredis://{}", server.address());
    wait_for_the_end();
}

/// Makes the folder, and returns its absolute path: the server runs in another folder.
fn made(folder: &Path) -> Outcome<PathBuf> {
    let doing = || format!("making {}", folder.display());
    fs::create_dir_all(folder).doing(doing())?;
    folder.canonicalize().doing(doing())
}

fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}
