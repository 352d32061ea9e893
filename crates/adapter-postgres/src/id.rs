//! Ids as Postgres has them.

use domain::PortError;

use crate::error::corrupt;

/// An id of the domain as a `bigint`. Ids have 63 bits, so this never loses anything.
pub(crate) fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// A `bigint` as an id of the domain, checked by `check`.
pub(crate) fn checked<I, E>(
    id: i64,
    check: impl FnOnce(u64) -> Result<I, E>,
) -> Result<I, PortError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    check(u64::try_from(id).map_err(corrupt)?).map_err(corrupt)
}
