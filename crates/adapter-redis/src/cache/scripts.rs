//! The scripts, and calls of them.

use std::sync::LazyLock;

use bb8_redis::redis::{Cmd, cmd};
use bytes::Bytes;
use fred::util::sha1_hash;

/// A Lua script and the hash it is called by.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $($part:literal)+;)*) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            let text = concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+);
            Script { text, hash: sha1_hash(text) }
        });)*
    };
}

scripts! {
    GET_OR_LEASE: "entry" "get_or_lease";
    PUT: "entry" "put";
    RELEASE_LEASE: "entry" "release_lease";
    INVALIDATE: "invalidate";
    INVALIDATED: "invalidated";
    PROBE: "probe";
}

/// A script with its keys and arguments.
#[derive(Clone)]
pub(super) struct Call {
    script: &'static Script,
    keys: Vec<String>,
    arguments: Vec<Bytes>,
}

impl Call {
    pub(super) fn new(script: &'static Script, keys: Vec<String>) -> Self {
        Self { script, keys, arguments: Vec::new() }
    }

    pub(super) fn arg(mut self, argument: impl Into<Bytes>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.arg(number.to_string())
    }

    /// The first key, which determines the server.
    pub(super) fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// For a server that knows the script.
    pub(super) fn by_hash(&self) -> Cmd {
        self.with("EVALSHA", &self.script.hash)
    }

    /// For a server that does not know it, and then does.
    pub(super) fn by_text(&self) -> Cmd {
        self.with("EVAL", self.script.text)
    }

    fn with(&self, command: &str, script: &str) -> Cmd {
        let mut command = cmd(command);
        command.arg(script).arg(self.keys.len());
        for key in &self.keys {
            command.arg(key);
        }
        for argument in &self.arguments {
            command.arg(argument.as_ref());
        }
        command
    }
}
