//! The dates of a concert, when each is on sale, and which of them still have seats.

mod schedule_book;
mod service;
mod window;

#[cfg(any(test, feature = "mocks"))]
pub use schedule_book::MockScheduleBook;
pub use schedule_book::{InvalidScheduleId, OpenDate, ScheduleBook, ScheduleId};
pub use service::{ScheduleError, ScheduleService};
pub use window::{InvalidWindow, SaleWindow};
