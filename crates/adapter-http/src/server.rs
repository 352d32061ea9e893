//! Binding, running and stopping a listener.

use std::fmt;
use std::future::ready;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_server::{Server, ServerBuilder, ServerHandle};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory,
    fn_service, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, Error, HttpServer};
use tokio::time::sleep;

use crate::api::Api;
use crate::connections::{Connections, Guarded, Limits, PerAddress, Shared, Worker, tracked};
use crate::cors::Origin;
use crate::lifecycle::{Lifecycle, Phase};
use crate::listener_handle::{self, ListenerHandle};
use crate::middleware::RequestMiddleware;
use crate::ops::Ops;
use crate::request_telemetry::RequestTelemetry;
use crate::time::ceil_seconds;
use crate::{constant_answer, cors, dispatch, ops};

/// Settings of a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpSettings {
    /// Address to listen on; port 0 picks a free port.
    pub bind: SocketAddr,
    /// Number of worker threads, each with its own event loop.
    pub workers: usize,
    /// Maximum number of connections waiting to be accepted; the kernel may cap it lower.
    pub backlog: u32,
    /// Maximum number of open connections per worker.
    pub max_connections: usize,
    /// Maximum number of open connections per address.
    pub per_address: PerAddress,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head, and then its body.
    pub client_timeout: Duration,
    /// How long a client may take to read a response, from the moment a write blocks.
    pub answer_timeout: Duration,
    /// How long a request may take after it was read completely.
    pub request_timeout: Duration,
    /// How long a graceful stop waits for requests in flight.
    pub shutdown_timeout: Duration,
    /// Maximum size of the request target and headers together, in bytes.
    pub max_header_bytes: usize,
    /// Maximum size of a body, in bytes.
    pub max_body_bytes: usize,
    /// Origins whose pages may call the public listener from a browser.
    pub cors_origins: Vec<Origin>,
}

impl Default for HttpSettings {
    /// A free port on this machine, two workers, and limits that suit tests and small services.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            workers: 2,
            backlog: 128,
            max_connections: 1_000,
            per_address: PerAddress::default(),
            keep_alive: Duration::from_secs(75),
            client_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(5),
            max_header_bytes: 16 * 1024,
            max_body_bytes: 4 * 1024,
            cors_origins: Vec::new(),
        }
    }
}

/// A bound listener. Clients can connect at once; the kernel holds their connections until
/// [`run`](Self::run) accepts them.
pub struct Listener {
    address: SocketAddr,
    listener: ListenerHandle,
    server: Server,
    connections: Connections,
    /// The lifecycle that this listener moves to [`Phase::Serving`]: that of the public listener.
    lifecycle: Option<Lifecycle>,
}

/// Stops a [`Listener`] from elsewhere.
#[derive(Clone)]
pub struct Stopper {
    listener: ListenerHandle,
    server: ServerHandle,
}

impl Listener {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counters of its connections.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// A handle that stops it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { listener: self.listener.clone(), server: self.server.handle() }
    }

    /// Serves until stopped. The public listener enters [`Phase::Serving`] in this call, before the
    /// returned future accepts the first connection. A node that reports that it is still starting
    /// therefore serves no response.
    ///
    /// # Errors
    /// Any error that ends the listener other than being stopped.
    pub fn run(self) -> impl Future<Output = io::Result<()>> + Send {
        if let Some(lifecycle) = &self.lifecycle {
            lifecycle.enter(Phase::Serving);
        }
        self.server
    }
}

impl Stopper {
    /// Stops gracefully. It drops new connections, gives clients that have just connected
    /// `last_comers` to send their request, then lets requests in flight finish and closes idle
    /// connections. It returns at the latest after `last_comers` plus the shutdown timeout.
    pub async fn stop(&self, last_comers: Duration) {
        match self.listener.stop_accepting() {
            Ok(()) => sleep(last_comers).await,
            Err(error) => {
                tracing::warn!(
                    error = %error,
                    "could not attach the packet filter; pending connections may be reset"
                );
            }
        }
        self.listener.close();
        self.server.stop(true).await;
    }
}

/// Binds a listener for an application and wraps each accepted stream in a [`Guarded`]. The bounds
/// are those of [`HttpServer::new`], which does not accept such a stream.
fn listen<F, I, S, B>(
    name: &'static str,
    settings: &HttpSettings,
    application: F,
) -> io::Result<Listener>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Service: 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let (socket, listener) = listener_handle::open(settings.bind, settings.backlog)?;
    let address = socket.local_addr()?;
    let limit = settings.workers.saturating_mul(settings.max_connections);
    let shared = Shared::new(name, limit, settings.per_address.clone());
    let connections = shared.counts.clone();
    let limits = Limits {
        head: settings.client_timeout,
        idle: settings.keep_alive,
        answer: settings.answer_timeout,
        max_open: settings.max_connections,
    };
    let builder = server_of(settings);
    let stopping = builder.graceful_shutdown_signal();
    let (keep_alive, client_timeout) = (settings.keep_alive, settings.client_timeout);
    // Called once on each worker's thread.
    let service = move || {
        let worker = Worker::start(limits.clone(), shared.clone());
        let stopping = stopping.clone();
        let handlers = application().into_factory().map_err(|error| error.into().error_response());
        // No route uses the listener's host name.
        let handlers = map_config(handlers, |()| AppConfig::default());
        let handlers =
            apply_fn_factory(handlers, |request, handlers: &_| tracked(request, handlers));
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(client_timeout)
            .client_disconnect_timeout(client_timeout)
            .local_addr(address)
            .on_connect_ext(|stream: &Guarded, data| {
                data.insert(Rc::clone(stream.connection()));
            })
            .finish(handlers);
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            let guarded = Guarded::accept(stream, &worker).map_err(DispatchError::Io);
            ready(guarded.map(|guarded| (guarded, Protocol::Http1, peer)))
        })
        .and_then(http)
    };
    let server = builder.listen(format!("http-{name}"), socket, service)?.run();
    Ok(Listener { address, listener, server, connections, lifecycle: None })
}

fn server_of(settings: &HttpSettings) -> ServerBuilder {
    Server::build()
        .workers(settings.workers)
        .max_concurrent_connections(settings.max_connections)
        .shutdown_timeout(ceil_seconds(settings.shutdown_timeout))
        .disable_signals()
}

/// Binds the public listener. It moves `lifecycle` to [`Phase::Serving`] when it runs.
///
/// # Errors
/// If the address cannot be bound.
pub fn listen_public(
    settings: &HttpSettings,
    api: Api,
    lifecycle: Lifecycle,
    watch: RequestTelemetry,
) -> io::Result<Listener> {
    let middleware = RequestMiddleware {
        overload: Some(api.overload.clone()),
        watch,
        ..edge_of(settings, lifecycle.clone())
    };
    let listener = if settings.cors_origins.is_empty() {
        listen("public", settings, move || {
            App::new()
                .wrap(middleware.clone())
                .configure(|config| dispatch::configure(config, api.clone()))
        })?
    } else {
        let origins = settings.cors_origins.clone();
        // Outermost, so that pages can read refusals of the middleware too. A preflight request
        // gets its answer before them, and calls no handler.
        listen("public", settings, move || {
            App::new()
                .wrap(middleware.clone())
                .wrap(cors::permitting(&origins))
                .configure(|config| dispatch::configure(config, api.clone()))
        })?
    };
    Ok(Listener { lifecycle: Some(lifecycle), ..listener })
}

/// Binds the operations listener.
///
/// # Errors
/// If the address cannot be bound.
pub fn listen_ops(settings: &HttpSettings, watched: Ops) -> io::Result<Listener> {
    // A separate lifecycle never drains, so this listener keeps connections open to the end.
    let middleware = edge_of(settings, Lifecycle::default());
    let watched = Data::new(watched);
    listen("operations", settings, move || {
        App::new().app_data(watched.clone()).wrap(middleware.clone()).configure(ops::configure)
    })
}

/// Binds a listener that serves the constant response at `/constant`, without the middleware and
/// the connection guard. Its connections are not counted.
///
/// # Errors
/// If the address cannot be bound.
pub fn listen_baseline(settings: &HttpSettings) -> io::Result<Listener> {
    let (socket, listener) = listener_handle::open(settings.bind, settings.backlog)?;
    let address = socket.local_addr()?;
    let server = HttpServer::new(|| App::new().configure(constant_answer::configure))
        .workers(settings.workers)
        .max_connections(settings.max_connections)
        .keep_alive(settings.keep_alive)
        .client_request_timeout(settings.client_timeout)
        .client_disconnect_timeout(settings.client_timeout)
        .shutdown_timeout(ceil_seconds(settings.shutdown_timeout))
        .disable_signals()
        .listen(socket)?;
    let connections = Shared::new("constant", 0, PerAddress::default()).counts;
    Ok(Listener { address, listener, server: server.run(), connections, lifecycle: None })
}

fn edge_of(settings: &HttpSettings, lifecycle: Lifecycle) -> RequestMiddleware {
    RequestMiddleware {
        max_header_bytes: settings.max_header_bytes,
        max_body_bytes: settings.max_body_bytes,
        body_timeout: settings.client_timeout,
        request_timeout: settings.request_timeout,
        lifecycle,
        overload: None,
        watch: RequestTelemetry::default(),
    }
}
