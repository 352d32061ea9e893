//! Connections: how they are made, and when they can be reused.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bb8_redis::redis::aio::MultiplexedConnection;
use bb8_redis::redis::io::tcp::TcpSettings;
use bb8_redis::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion,
    PushInfo, PushKind, RedisConnectionInfo, RedisError, Value, cmd,
};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::scripts::Call;
use crate::address::{Access, Credentials, Node, Security};
use crate::tls::RedisTls;

/// A command on one connection.
#[derive(Clone)]
pub(super) enum Request {
    Call(Call),
    Command(Cmd),
}

/// One connection, for one command at a time. It never retries and never reconnects.
pub(super) struct Session {
    connection: MultiplexedConnection,
    /// Cancelled when the server has closed it.
    lost: CancellationToken,
    /// A command is unanswered, or its answer came too late or from the wrong server.
    is_spent: bool,
}

impl Session {
    /// Sends a command. If this is dropped half way, the connection cannot be reused.
    pub(super) async fn run(&mut self, request: &Request, asking: bool) -> Result<Value, Failure> {
        let call = match request {
            Request::Command(command) => return self.send(command, asking).await,
            Request::Call(call) => call,
        };
        match self.send(&call.by_hash(), asking).await {
            Err(Failure::NoScript) => self.send(&call.by_text(), asking).await,
            answer => answer,
        }
    }

    async fn send(&mut self, command: &Cmd, asking: bool) -> Result<Value, Failure> {
        self.is_spent = true;
        if asking {
            cmd("ASKING").query_async::<()>(&mut self.connection).await?;
        }
        let answer = command.query_async(&mut self.connection).await;
        // Anything the server sends, even an error, is an answer. A demoted primary is abandoned.
        let answer = answer.map_err(Failure::from);
        self.is_spent = matches!(
            answer,
            Err(Failure::Unknown(_)
                | Failure::Corrupt(_)
                | Failure::NotPrimary(_)
                | Failure::NoConnection(_))
        );
        answer
    }

    pub(super) fn is_good(&self) -> bool {
        !self.is_spent && !self.lost.is_cancelled()
    }
}

/// Makes connections to wherever the primary is.
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) access: Access,
    pub(super) limit: Duration,
}

pub(super) enum Target {
    Node(Node),
    /// The primary that sentinels know by a name. The sentinel that last answered is asked first.
    Watched {
        sentinels: Vec<Node>,
        name: String,
        access: Access,
        first: AtomicUsize,
    },
}

impl Connector {
    /// Connects within the limit.
    pub(super) async fn session(&self) -> Result<Session, Failure> {
        let connecting = async {
            match &self.target {
                Target::Node(node) => connect(node, &self.access).await,
                Target::Watched { sentinels, name, access, first } => {
                    let primary = self.primary(sentinels, name, access, first).await?;
                    connect(&primary, &self.access).await
                }
            }
        };
        match tokio::time::timeout(self.limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                let (target, how) = (&self.target, self.access.security.when_late());
                Err(Failure::NoConnection(format!("{target} was not ready in time{how}")))
            }
        }
    }

    /// Trusts the first sentinel that knows the primary: a connection to a replica fails at its
    /// first write.
    async fn primary(
        &self,
        sentinels: &[Node],
        name: &str,
        access: &Access,
        first: &AtomicUsize,
    ) -> Result<Node, Failure> {
        let mut last = Failure::NoConnection("no sentinel is configured".to_owned());
        let start = first.load(Ordering::Relaxed);
        // A sentinel that does not answer must leave time for the others.
        let share = self.limit / u32::try_from(sentinels.len() + 1).unwrap_or(u32::MAX);
        for at in (0..sentinels.len()).map(|n| (start + n) % sentinels.len()) {
            let sentinel = &sentinels[at];
            match tokio::time::timeout(share, query_sentinel(sentinel, access, name)).await {
                Ok(Ok(primary)) => {
                    first.store(at, Ordering::Relaxed);
                    return Ok(primary);
                }
                Ok(Err(failure)) => last = failure,
                Err(_) => {
                    last =
                        Failure::NoConnection(format!("sentinel {sentinel} was not ready in time"));
                }
            }
        }
        Err(last)
    }
}

async fn query_sentinel(sentinel: &Node, access: &Access, name: &str) -> Result<Node, Failure> {
    let mut session = connect(sentinel, access).await?;
    let mut command = cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer: Option<(String, u16)> = command
        .query_async(&mut session.connection)
        .await
        .map_err(|error| not_connected(sentinel, access, error))?;
    let (host, port) =
        answer.ok_or_else(|| Failure::Refused(format!("{sentinel} knows no primary `{name}`")))?;
    Ok(Node { host, port })
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(node) => write!(f, "{node}"),
            Self::Watched { name, .. } => write!(f, "the primary `{name}`"),
        }
    }
}

async fn connect(node: &Node, access: &Access) -> Result<Session, Failure> {
    let lost = CancellationToken::new();
    let reported = lost.clone();
    let on_push = move |push: PushInfo| {
        if push.kind == PushKind::Disconnection {
            reported.cancel();
        }
        Ok::<_, Infallible>(())
    };
    // The pool sets the limits, so the client's own limits are off.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(on_push);
    let connected = match &access.security {
        Security::Plain => {
            let client =
                client(node, access).map_err(|error| not_connected(node, access, error))?;
            client.get_multiplexed_async_connection_with_config(&config).await
        }
        Security::Tls(Some(tls)) => connect_over_tls(node, access, tls, config).await,
        Security::Tls(None) => return Err(Failure::NoConnection("TLS is not set up".to_owned())),
    };
    let connection = connected.map_err(|error| not_connected(node, access, error))?;
    Ok(Session { connection, lost, is_spent: false })
}

/// The client's own TLS reads the machine's certificates for each connection, even if it is given
/// others, and shares no session between connections.
async fn connect_over_tls(
    node: &Node,
    access: &Access,
    tls: &RedisTls,
    config: AsyncConnectionConfig,
) -> Result<MultiplexedConnection, RedisError> {
    let name = ServerName::try_from(node.host.clone()).map_err(std::io::Error::other)?;
    let stream = TcpStream::connect((node.host.as_str(), node.port)).await?;
    stream.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::clone(tls.config()));
    let stream = connector.connect(name, stream).await?;
    let (connection, driving) =
        MultiplexedConnection::new_with_config(&settings(access), stream, config).await?;
    // It ends with the last handle of the connection.
    tokio::spawn(driving);
    Ok(connection)
}

fn client(node: &Node, access: &Access) -> Result<Client, RedisError> {
    let info = ConnectionAddr::Tcp(node.host.clone(), node.port).into_connection_info()?;
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(settings(access)).set_tcp_settings(tcp))
}

fn settings(access: &Access) -> RedisConnectionInfo {
    // With RESP3 the client reports when a connection is closed, and not only at the next command.
    let mut redis = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_skip_set_lib_name()
        .set_db(access.database.into());
    if let Some(Credentials { user, password }) = &access.credentials {
        redis = redis.set_password(password);
        if let Some(user) = user {
            redis = redis.set_username(user);
        }
    }
    redis
}

/// A refusal keeps the server's message; any other error becomes `NoConnection`.
fn not_connected(node: &Node, access: &Access, error: RedisError) -> Failure {
    let said = access.security.why_not_connected(&error.to_string());
    let why = Failure::NoConnection(format!("{node}: {said}"));
    let failure = Failure::from(error);
    if matches!(failure, Failure::Refused(_) | Failure::NotYet(_)) { failure } else { why }
}
