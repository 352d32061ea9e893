//! Binding, running and stopping a listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::time::sleep;

use crate::api::Api;
use crate::door::{self, Door};
use crate::edge::Edge;
use crate::lifecycle::{Lifecycle, Phase};
use crate::ops::Ops;
use crate::time::ceil_seconds;
use crate::watch::Watch;
use crate::{ops, routes, yardstick};

/// How a listener treats its connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpSettings {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Threads that serve, each with its own event loop.
    pub workers: usize,
    /// Connections that wait to be accepted, at most (the kernel may allow fewer).
    pub backlog: u32,
    /// Open connections per worker, at most.
    pub max_connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head, and then its body.
    pub client_timeout: Duration,
    /// Time for a request once it is there whole.
    pub request_timeout: Duration,
    /// How long a graceful stop waits for requests under way.
    pub shutdown_timeout: Duration,
    /// Bytes of address and headers together, at most.
    pub max_header_bytes: usize,
    /// Bytes of a body, at most.
    pub max_body_bytes: usize,
}

/// A bound listener. Clients can connect at once; the kernel holds their connections until
/// [`run`](Self::run) accepts them.
pub struct Listener {
    address: SocketAddr,
    door: Door,
    server: Server,
    /// The lifecycle that this listener moves to [`Phase::Serving`]: that of the public listener.
    lifecycle: Option<Lifecycle>,
}

/// Stops a [`Listener`] from elsewhere.
#[derive(Clone)]
pub struct Stopper {
    door: Door,
    server: ServerHandle,
}

impl Listener {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle that stops it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { door: self.door.clone(), server: self.server.handle() }
    }

    /// Serves until stopped. The public listener enters [`Phase::Serving`] in this call, before the
    /// returned future accepts the first connection: no answer comes from a node that says it is
    /// still starting.
    ///
    /// # Errors
    /// Whatever ended the listener other than being stopped.
    pub fn run(self) -> impl Future<Output = io::Result<()>> + Send {
        if let Some(lifecycle) = &self.lifecycle {
            lifecycle.enter(Phase::Serving);
        }
        self.server
    }
}

impl Stopper {
    /// Lets nobody new in, and gives those who have just come so long to ask what they came for; then lets requests
    /// under way finish and closes idle connections. Returns at the latest after that and the shutdown timeout.
    pub async fn stop(&self, last_comers: Duration) {
        match self.door.shut() {
            Ok(()) => sleep(last_comers).await,
            Err(error) => tracing::warn!(error = %error, "the listening socket could not be closed gently"),
        }
        self.door.let_go();
        self.server.stop(true).await;
    }
}

/// A listener for an application; a macro because the type of an application with a middleware cannot be written down.
macro_rules! listen {
    ($settings:expr, $application:expr) => {{
        let settings: &HttpSettings = $settings;
        let (socket, door) = door::open(settings.bind, settings.backlog)?;
        let server = HttpServer::new($application)
            .workers(settings.workers)
            .max_connections(settings.max_connections)
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.client_timeout)
            .client_disconnect_timeout(settings.client_timeout)
            .shutdown_timeout(ceil_seconds(settings.shutdown_timeout))
            .disable_signals()
            .listen(socket)?;
        let address = server.addrs().first().copied().unwrap_or(settings.bind);
        Ok(Listener { address, door, server: server.run(), lifecycle: None })
    }};
}

/// Binds the public listener. It moves `lifecycle` to [`Phase::Serving`] when it is run.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen_public(
    settings: &HttpSettings,
    api: Api,
    lifecycle: Lifecycle,
    watch: Watch,
) -> io::Result<Listener> {
    let edge = Edge { overload: Some(api.overload.clone()), watch, ..edge_of(settings, lifecycle.clone()) };
    let listener: io::Result<Listener> = listen!(settings, move || App::new()
        .wrap(edge.clone())
        .configure(|config| routes::configure(config, api.clone())));
    Ok(Listener { lifecycle: Some(lifecycle), ..listener? })
}

/// Binds the operations listener.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen_ops(settings: &HttpSettings, watched: Ops) -> io::Result<Listener> {
    // An edge of another life never asks its callers to go away: this listener answers to the end.
    let edge = edge_of(settings, Lifecycle::default());
    let watched = Data::new(watched);
    listen!(settings, move || App::new()
        .app_data(watched.clone())
        .wrap(edge.clone())
        .configure(ops::configure))
}

/// Binds a listener that answers the constant at `/constant`, with nothing around it.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen_yardstick(settings: &HttpSettings) -> io::Result<Listener> {
    listen!(settings, || App::new().configure(yardstick::configure))
}

fn edge_of(settings: &HttpSettings, lifecycle: Lifecycle) -> Edge {
    Edge {
        max_header_bytes: settings.max_header_bytes,
        max_body_bytes: settings.max_body_bytes,
        body_timeout: settings.client_timeout,
        request_timeout: settings.request_timeout,
        lifecycle,
        overload: None,
        watch: Watch::default(),
    }
}
