//! `boxoffice migrate`

use std::process::ExitCode;

use clap::Args;

use super::{database, print};
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// Revert the last applied migration instead, which deletes the data in its tables
    #[arg(long)]
    revert_last: bool,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> ExitCode {
    database::with_address(config, async |address, connect| {
        if arguments.revert_last {
            let reverted = adapter_postgres::revert_last(address, connect).await?;
            return Ok(print(format_args!("reverted {reverted}\n")));
        }
        let applied = adapter_postgres::migrate(address, connect).await?;
        let lines: String = applied.iter().map(|name| format!("applied {name}\n")).collect();
        Ok(print(format_args!("{lines}the schema is current\n")))
    })
}
