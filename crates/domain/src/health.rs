//! What the service depends on, and whether it is there.

use async_trait::async_trait;

use crate::PortError;

/// Something outside this process that can be down while the service goes on with what it can still do.
#[async_trait]
pub trait Dependency: Send + Sync {
    /// Its name, as an operator knows it.
    fn name(&self) -> &'static str;

    /// Whether a question asked now would be answered. Asked about once a second, from one task; may be dropped half
    /// way.
    ///
    /// # Errors
    /// [`PortError`] when it would not be, and why.
    async fn check(&self) -> Result<(), PortError>;
}
