//! The scripts, put together from their parts.

use std::sync::LazyLock;

use fred::util::sha1_hash;

/// A Lua script and the hash it is called by.
pub(crate) struct Script {
    pub(crate) text: &'static str,
    pub(crate) hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: sha1_hash(text) }
    }
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident $flags:literal: $($part:literal)+;)*) => {
        $($(#[$doc])* pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!("#!lua", $flags, "\n", $(include_str!(concat!("lua/", $part, ".lua")), "\n"),+))
        });)*

        /// Every script, to be loaded when a connection is made.
        pub(crate) fn all() -> [&'static Script; [$(stringify!($name)),*].len()] {
            [$(&$name),*]
        }
    };
}

// With its first line a script is refused before it begins where a server cannot write: a step that calls people or lets
// them in is done whole or not at all. At the limit of the memory people can still leave, and nodes still see the queue.
scripts! {
    JOIN "": "begin" "numbers" "ending" "calling" "places" "join";
    TICK "": "begin" "numbers" "ending" "calling" "refresh";
    LOOK " flags=allow-oom": "begin" "numbers" "ending" "calling" "refresh";
    VACANT " flags=allow-oom": "begin" "vacant";
    PLACES " flags=allow-oom": "begin" "places_page";
    CLAIM "": "begin" "numbers" "places" "claim";
    STANDING " flags=allow-oom": "begin" "numbers" "places" "standing";
    LEAVE " flags=allow-oom": "begin" "numbers" "places" "leave";
    REPLAY "": "begin" "numbers" "places" "replay";
    SETTLE "": "begin" "settle";
    PROBE "": "probe";
}
