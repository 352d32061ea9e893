//! Shared code of the commands that use the database.

use std::process::ExitCode;
use std::time::Duration;

use adapter_postgres::{PostgresAddress, SetupError};

use super::{fail, fail_usage, serve};
use crate::config::Config;

/// Runs `work` with the configured address and connect timeout, or prints a one-line error.
pub(super) fn with_address<W>(config: &Config, work: W) -> ExitCode
where
    W: AsyncFnOnce(PostgresAddress, Duration) -> Result<ExitCode, SetupError>,
{
    let address = match config.postgres.address() {
        Ok(address) => address,
        Err(error) => return fail_usage(&error),
    };
    let runtime = match serve::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error),
    };
    serve::run_on(runtime, work(address, config.postgres.connect_timeout.0)).unwrap_or_else(fail)
}
