//! The handlers of the public routes.

pub(crate) mod concert;
pub(crate) mod queue;
pub(crate) mod schedule;
