//! `boxoffice token`

use std::process::ExitCode;

use adapter_token::{KeyUse, TokenKey};
use clap::Subcommand;
use domain::queue::TokenRejected;
use serde_json::json;

use super::{SourceFlags, complain, print, with_config};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Decode a token and verify it with the configured keys
    Inspect {
        /// A token issued by the service
        token: String,
        #[command(flatten)]
        sources: SourceFlags,
    },
    /// Print a new random key for `queue.keys`
    ///
    /// To rotate keys, add the new key last on every node, then move it first on every node, and
    /// remove the old key once its last token has expired. If the new key comes first at once,
    /// nodes without it refuse the tokens it signs.
    NewKey,
}

pub(super) fn run(command: Command, before: SourceFlags) -> ExitCode {
    match command {
        Command::Inspect { token, sources } => {
            with_config(&before.and(sources).sources(), |config| inspect(config, &token))
        }
        Command::NewKey => match TokenKey::generate_text() {
            Ok(key) => print(format_args!("{}\n", key.as_str())),
            Err(error) => fail(error),
        },
    }
}

fn inspect(config: &Config, token: &str) -> ExitCode {
    let ring = match config.queue.key_ring() {
        Ok(Some(ring)) => ring,
        Ok(None) => return fail("no key is configured (queue.keys), so no token can be verified"),
        Err(error) => return fail(error),
    };
    let (place, key) = match ring.inspect(token) {
        Ok(read) => read,
        Err(why) => return fail(why),
    };
    let (id, is_current) = match key {
        KeyUse::Current(id) => (id, true),
        KeyUse::Previous(id) => (id, false),
    };
    let shown = json!({
        "queue": place.queue.as_str(),
        "incarnation": place.incarnation.get(),
        "number": place.number.get(),
        "userId": place.user.get(),
        "issuedAt": place.issued_at.to_string(),
        "keyId": id.to_string(),
        "keyIsCurrent": is_current,
    });
    let printed = print(format_args!("{shown:#}\n"));
    if place.queue.as_str() == config.queue.id {
        printed
    } else {
        fail(TokenRejected::ForeignQueue)
    }
}

fn fail(why: impl std::fmt::Display) -> ExitCode {
    complain(why);
    ExitCode::FAILURE
}
