//! `cargo xtask postgres`

use std::path::PathBuf;

use clap::Args;

use test_support::{Durability, Outcome, Postgres, find_or_install_postgres};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The port to listen on; a free one by default
    #[arg(long)]
    port: Option<u16>,
    /// A folder that keeps the data after the server ends, for the next start
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs a private server until this program ends, Ctrl-C included.
pub(crate) fn postgres(arguments: &Arguments) -> Outcome {
    let binaries = find_or_install_postgres(|line| println!("{line}"))?;
    let server =
        Postgres::start_at(binaries, Durability::Full, arguments.port, arguments.keep.as_deref())?;
    println!("a private Postgres server, until Ctrl-C:\n{}", server.url("postgres"));
    loop {
        std::thread::park();
    }
}
