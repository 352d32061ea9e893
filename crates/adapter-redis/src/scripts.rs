//! The scripts, concatenated from their parts.

use std::sync::LazyLock;

use fred::util::sha1_hash;

/// A Lua script and the hash it is called by.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) hash: String,
    /// The script to call instead if a server at the limit of its memory refuses this one.
    pub(crate) at_limit: Option<Box<Self>>,
}

impl Script {
    fn new(body: &str, works_at_limit: bool) -> Self {
        let at_limit = works_at_limit.then(|| Box::new(Self::of(PRELUDE_AT_LIMIT, body, None)));
        Self::of(PRELUDE, body, at_limit)
    }

    fn of(head: &str, body: &str, at_limit: Option<Box<Self>>) -> Self {
        let text = format!("{head}{body}");
        Self { hash: sha1_hash(&text), text, at_limit }
    }
}

const PRELUDE: &str = include_str!("lua/prelude.lua");
const PRELUDE_AT_LIMIT: &str = include_str!("lua/prelude_at_limit.lua");

macro_rules! scripts {
    ($($name:ident $(and $at_limit:ident)?: $($part:literal)+;)*) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            let at_limit: &[&str] = &[$(stringify!($at_limit))?];
            let body = concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+);
            Script::new(body, !at_limit.is_empty())
        });)*

        /// Every script, to be loaded when a connection is made.
        pub(crate) fn all() -> impl Iterator<Item = &'static Script> {
            let scripts: [&'static Script; _] = [$(&$name),*];
            let forms = |script: &'static Script| [Some(script), script.at_limit.as_deref()];
            scripts.into_iter().flat_map(forms).flatten()
        }
    };
}

// A server that cannot write refuses the usual scripts before they begin. At the limit of its
// memory, people can still see their places and leave, and nodes can still refresh: those scripts
// have a second form. It stops the queue's time, because calls and sessions run only while they can
// be used.
scripts! {
    JOIN: "stored_values" "key_types" "begin" "numbers_without_holder" "incarnations" "loss_detection" "shown_numbers" "numbers" "ending"
        "calling" "places" "join";
    TICK and at_limit: "stored_values" "key_types" "begin" "numbers_without_holder" "incarnations" "loss_detection" "shown_numbers" "numbers"
        "ending" "calling" "refresh";
    VACANT and at_limit: "stored_values" "begin" "numbers_without_holder" "incarnations" "loss_detection" "vacant_numbers";
    PLACES and at_limit: "stored_values" "begin" "numbers_without_holder" "incarnations" "loss_detection" "places_page";
    CLAIM: "stored_values" "key_types" "begin" "numbers_without_holder" "incarnations" "loss_detection" "shown_numbers" "numbers" "places" "claim";
    PLACE_STATUS and at_limit: "stored_values" "begin" "numbers_without_holder" "incarnations" "loss_detection" "shown_numbers" "numbers"
        "places" "place_status";
    LEAVE and at_limit: "stored_values" "key_types" "begin" "numbers_without_holder" "incarnations" "loss_detection" "shown_numbers" "numbers"
        "places" "leave";
    REPLAY: "stored_values" "key_types" "begin" "numbers_without_holder" "incarnations" "loss_detection" "shown_numbers" "numbers" "places" "replay";
    SETTLE: "stored_values" "key_types" "begin" "numbers_without_holder" "incarnations" "loss_detection" "apply_checkpoint";
    PROBE: "stored_values" "key_types" "probe";
}
