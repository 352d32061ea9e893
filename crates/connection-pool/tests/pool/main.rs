//! The rules of the pool, over a server that only counts. Most tests run under a paused clock.

mod calls;
mod down;
mod limits;
mod support;
