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
    ($($(#[$doc:meta])* $name:ident: $($part:literal)+;)*) => {
        $($(#[$doc])* pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+))
        });)*

        /// Every script, to be loaded when a connection is made.
        pub(crate) fn all() -> [&'static Script; [$(stringify!($name)),*].len()] {
            [$(&$name),*]
        }
    };
}

// The usual scripts are refused before they begin where a server cannot write. At the limit of its
// memory people can still see their places and leave, and nodes still see the queue, by scripts
// that let the queue's time stand still: calls and sessions run only while they can be used.
scripts! {
    JOIN: "usual" "begin" "numbers" "ending" "calling" "places" "join";
    TICK: "usual" "begin" "numbers" "ending" "calling" "refresh";
    TICK_AT_LIMIT: "at_limit" "begin" "numbers" "ending" "calling" "refresh";
    VACANT: "usual" "begin" "vacant";
    VACANT_AT_LIMIT: "at_limit" "begin" "vacant";
    PLACES: "usual" "begin" "places_page";
    PLACES_AT_LIMIT: "at_limit" "begin" "places_page";
    CLAIM: "usual" "begin" "numbers" "places" "claim";
    STANDING: "usual" "begin" "numbers" "places" "standing";
    STANDING_AT_LIMIT: "at_limit" "begin" "numbers" "places" "standing";
    LEAVE: "usual" "begin" "numbers" "places" "leave";
    LEAVE_AT_LIMIT: "at_limit" "begin" "numbers" "places" "leave";
    REPLAY: "usual" "begin" "numbers" "places" "replay";
    SETTLE: "usual" "begin" "settle";
    PROBE: "usual" "probe";
}
