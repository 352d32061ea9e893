//! The HTTP server of a collector: a thread that owns all connections and ends them with itself.

use std::error::Error;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;

use super::received::{Export, Received};
use super::{Attributes, log, metric, span};
use crate::error::{Doing as _, Outcome};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A longer body ends its connection.
const BODY_BYTES: usize = 64 * 1024 * 1024;

/// The way requests are handled.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Manner {
    Answers,
    Fails,
    Hangs,
}

/// Dropping this stops the server and frees its port.
pub(super) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(manner: Manner, received: Arc<Received>) -> Outcome<Self> {
        const DOING: &str = "starting a collector";
        let runtime = runtime::Builder::new_current_thread().enable_io().build().doing(DOING)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(DOING)?;
        listener.set_nonblocking(true).doing(DOING)?;
        let address = listener.local_addr().doing(DOING)?;
        // Not with `block_on`: the caller may itself be an async task.
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).doing(DOING)?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, manner, received) => {}
                    _ = stopped => {}
                }
            });
            // Dropping the runtime ends every connection, whatever it waits for.
        };
        let serving =
            Some(thread::Builder::new().name("collector".to_owned()).spawn(serve).doing(DOING)?);
        Ok(Self { address, stop: Some(stop), serving })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.serving.take().map(JoinHandle::join));
    }
}

async fn accept(listener: TcpListener, manner: Manner, received: Arc<Received>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(serve(client, manner, Arc::clone(&received)))),
            // For example a client that has already gone.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn serve(client: TcpStream, manner: Manner, received: Arc<Received>) {
    let answers = service_fn(move |request| answer(request, manner, Arc::clone(&received)));
    // A client that disconnects or sends invalid HTTP is not an error of the collector.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(client), answers).await;
}

async fn answer(
    request: Request<Incoming>,
    manner: Manner,
    received: Arc<Received>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES).collect().await?.to_bytes();
    let is_json = head
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    let read = match manner {
        Manner::Answers => read(&head, is_json, &body),
        Manner::Fails | Manner::Hangs => Err(StatusCode::SERVICE_UNAVAILABLE),
    };
    let (status, export) = match read {
        Ok(export) => (StatusCode::OK, export),
        Err(status) => (status, Export::default()),
    };
    received.take(by_name(&head.headers), export);
    if manner == Manner::Hangs {
        return pending().await;
    }
    // An empty answer acknowledges everything; in protobuf it has no bytes.
    let (kind, empty) = if is_json { (JSON, "{}") } else { (PROTOBUF, "") };
    Ok(Response::builder().status(status).header(CONTENT_TYPE, kind).body(Full::from(empty))?)
}

fn read(head: &Parts, is_json: bool, body: &[u8]) -> Result<Export, StatusCode> {
    if head.method != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let nothing = Export::default();
    let read = match head.uri.path() {
        "/v1/traces" => {
            decode(is_json, body).map(|sent| Export { spans: span::flatten(sent), ..nothing })
        }
        "/v1/logs" => {
            decode(is_json, body).map(|sent| Export { logs: log::flatten(sent), ..nothing })
        }
        "/v1/metrics" => {
            decode(is_json, body).map(|sent| Export { metrics: metric::flatten(sent), ..nothing })
        }
        _ => return Err(StatusCode::NOT_FOUND),
    };
    read.ok_or(StatusCode::BAD_REQUEST)
}

fn decode<T: prost::Message + Default + serde::de::DeserializeOwned>(
    is_json: bool,
    body: &[u8],
) -> Option<T> {
    if is_json { serde_json::from_slice(body).ok() } else { T::decode(body).ok() }
}

fn by_name(headers: &HeaderMap) -> Attributes {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
