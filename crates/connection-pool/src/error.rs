//! Why a call has no answer.

/// Why a call has no answer. All but the last two were not begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PoolError<E> {
    /// Too many calls were waiting; this one was refused without a wait.
    #[error("too many calls wait for a connection")]
    TooManyWaiting,
    /// All connections were in use for as long as the call could wait.
    #[error("no connection came free in time")]
    NoneFree,
    /// There was no connection, and none was opened for as long as the call could wait.
    #[error("no connection was ready in time")]
    NoneReady,
    /// There was no connection, and connecting failed.
    #[error(transparent)]
    NotConnected(ConnectError<E>),
    /// The call did not end in time. Its connection is closed.
    #[error("no answer in time")]
    NoAnswer,
    /// The call panicked, or the pool's runtime is shutting down.
    #[error("the call was lost")]
    Lost,
}

/// Why an attempt to connect failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConnectError<E> {
    /// The manager's error.
    #[error(transparent)]
    Failed(E),
    /// The manager did not end the attempt within the limit.
    #[error("connecting took too long")]
    TimedOut,
    /// The manager panicked.
    #[error("connecting panicked")]
    Panicked,
}
