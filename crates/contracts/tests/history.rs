//! Checks that the history checker detects planted violations and accepts legal histories.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "each match names the cases that it is about")]

#[path = "history/planted.rs"]
mod planted;
#[path = "history/queue.rs"]
mod queue;
#[path = "history/random.rs"]
mod random;
#[path = "history/recorder.rs"]
mod recorder;
#[path = "history/size.rs"]
mod size;
#[path = "history/story.rs"]
mod story;
