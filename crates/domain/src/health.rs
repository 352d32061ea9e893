//! What the service depends on, and whether it is there.

use async_trait::async_trait;

use crate::PortError;

/// Something outside this process that can be down while the service goes on with what it can still do.
#[async_trait]
pub trait Dependency: Send + Sync {
    /// Its name, as an operator knows it.
    fn name(&self) -> &'static str;

    /// Whether the calls people need of it work, if perhaps not everybody's at once: it makes one
    /// of their kind that changes nothing. Ends within a limit of its own; asked again and again
    /// from one task, and may be dropped half way.
    ///
    /// # Errors
    /// [`PortError`] when it would not be, and why.
    async fn check(&self) -> Result<(), PortError>;
}
