//! Conversion of ids between the domain and Postgres.

use domain::PortError;

use crate::error::corrupt;

/// Converts an id of the domain to a `bigint`. Ids have 63 bits, so the conversion is lossless.
pub(crate) fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// Converts a `bigint` to an id of the domain, validated by `check`.
pub(crate) fn checked<I, E>(
    id: i64,
    check: impl FnOnce(u64) -> Result<I, E>,
) -> Result<I, PortError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    check(u64::try_from(id).map_err(corrupt)?).map_err(corrupt)
}
