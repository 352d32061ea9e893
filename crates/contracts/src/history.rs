//! A record of the calls that clients made while things failed, and a checker that decides from it
//! alone whether the rules of a queue held.
//!
//! The checker knows nothing of stores and nodes; it uses only what a client could see. It assumes
//! that any behaviour the answers leave open was correct, so every finding is a real violation:
//!
//! - A step takes effect at an unknown moment between the begin and the end of its op. Overlapping
//!   ops may have taken effect in either order.
//! - A step of unknown outcome takes effect at any moment after its begin, even long after the
//!   client gave up, or never.
//! - A refused step has no effect.

mod check;
mod finding;
mod index;
mod op;
mod recorder;
mod rules;
mod summary;
mod text_format;

pub use check::check;
pub use finding::{FINDINGS_PER_RULE, Finding, Findings, Rule, Rules};
pub use op::{Completion, Invocation, Record};
pub use recorder::{History, Op};
pub use summary::Summary;
pub use text_format::ReadError;
