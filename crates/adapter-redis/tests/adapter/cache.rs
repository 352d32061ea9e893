//! The second level of the cache: on a single server and on a cluster, working and broken.

mod contract;
mod faults;
mod moves;
mod pool;
mod support;

pub(crate) use self::support::{PATIENT, get_and_put, key, lookup, store};
