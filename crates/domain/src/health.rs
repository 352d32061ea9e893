//! Health checks of the service's dependencies.

use async_trait::async_trait;

use crate::{Dependency, PortError};

/// An external dependency. While it is down, the service keeps serving whatever does not need it.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// Its name.
    fn name(&self) -> Dependency;

    /// Checks that the dependency serves the kind of call that requests make, by making one that
    /// changes nothing. Passing does not mean it has capacity for all of them. Returns within its
    /// own time limit. One task calls it repeatedly and may drop the future at any point.
    ///
    /// # Errors
    /// [`PortError`] with the cause if such a call fails.
    async fn check(&self) -> Result<(), PortError>;
}
