//! `boxoffice config`

use std::process::ExitCode;

use clap::Args;

use super::{complain, print, with_config};
use crate::config::{Sources, reference};

#[derive(Args)]
pub(super) struct Arguments {
    /// Print every key with its default and meaning instead, as Markdown
    #[arg(long)]
    reference: bool,
}

pub(super) fn run(arguments: &Arguments, sources: &Sources) -> ExitCode {
    if arguments.reference {
        return print(reference::markdown());
    }
    with_config(sources, |config| match config.to_toml() {
        Ok(text) => print(text),
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    })
}
