//! `cargo xtask redis`

use clap::Args;

use test_support::{Outcome, Redis, RedisCluster, RedisSetup, find_or_install_redis};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A cluster of three primaries with a replica each
    #[arg(long)]
    cluster: bool,
}

/// Runs a private server, or a cluster, until this program is ended, Ctrl-C included; nothing of it is left then.
pub(crate) fn redis(arguments: &Arguments) -> Outcome {
    let binaries = find_or_install_redis(|line| println!("{line}"))?;
    if arguments.cluster {
        let cluster = RedisCluster::start(&binaries, 3, 1)?;
        let addresses: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
        println!("a private Redis cluster, until Ctrl-C:\n{}", addresses.join(","));
        wait_for_the_end();
    }
    let server = Redis::start(&binaries, RedisSetup::default())?;
    println!("a private Redis server, until Ctrl-C:\nredis://{}", server.address());
    wait_for_the_end();
}

fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}
