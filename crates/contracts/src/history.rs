//! A record of what clients asked and were told while things failed, and a checker that decides from it alone whether
//! the rules of a line held.
//!
//! The checker knows nothing of stores and nodes; it believes only what a client could see. Whatever an answer leaves
//! open is taken to have been right, so a finding is a broken rule, never a doubt:
//!
//! - A step took place at some moment between the begin of its op and its end, nobody knows when. Ops that overlap may
//!   have taken place in either order.
//! - A step of unknown outcome took place at any moment from its begin on, also long after the client gave up, or never.
//! - A refused step did not take place.

mod check;
mod record;
mod recorder;
mod rules;
mod summary;
mod text;
mod view;

pub use check::{FINDINGS_PER_RULE, Finding, Findings, Rule, Rules, check};
pub use record::{Asked, Record, Told};
pub use recorder::{History, Op};
pub use summary::Summary;
pub use text::ReadError;
