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
        $($(#[$doc])* pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+)));)*

        /// Every script, to be loaded when a connection is made.
        pub(crate) fn all() -> [&'static Script; [$(stringify!($name)),*].len()] {
            [$(&$name),*]
        }
    };
}

scripts! {
    JOIN: "line" "calls" "places" "join";
    ADVANCE: "line" "calls" "advance";
    CLAIM: "line" "places" "claim";
    STANDING: "line" "places" "standing";
    GIVE_BACK: "line" "places" "give_back";
    RESTORE: "line" "places" "restore";
}
