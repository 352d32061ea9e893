//! Connections to one server.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike as _, LuaInterface as _};
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ServerConfig, TcpConfig, TlsConnector,
    UnresponsiveConfig,
};
use fred::types::{Builder, ClusterHash, CustomCommand, Value};
use futures_util::FutureExt as _;
use rustls::ClientConfig;
use thread_local::ThreadLocal;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::address::{Access, Node, Security};
use crate::error::Failure;
use crate::role::Role;
use crate::scripts::{Script, all};

/// Limits of every connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionSettings {
    /// Maximum time until a connection is ready.
    pub connect: Duration,
    /// Maximum time of a command, from the call to its answer.
    pub answer: Duration,
    /// Maximum commands in flight.
    pub max_in_flight: usize,
}

/// One connection. It never reconnects: when it is lost, [`lost`](Self::lost) is cancelled, and
/// commands in flight have an unknown outcome. Dropping it closes it.
pub(crate) struct Connection {
    client: Client,
    lost: CancellationToken,
    _closes: DropGuard,
}

impl Connection {
    /// Connects. The calling runtime runs the connection, which ends with that runtime.
    pub(crate) async fn connect(
        node: &Node,
        access: &Access,
        settings: ConnectionSettings,
    ) -> Result<Self, Failure> {
        Self::one_of(node, access, settings, &CancellationToken::new()).await
    }

    /// Connects one of several: when the server ends it, `any_lost` is cancelled too.
    async fn one_of(
        node: &Node,
        access: &Access,
        settings: ConnectionSettings,
        any_lost: &CancellationToken,
    ) -> Result<Self, Failure> {
        let client = client(node, access, settings)?;
        let lost = CancellationToken::new();
        let close = CancellationToken::new();
        // A waiter of this client checks the state and then subscribes, and misses an event between
        // the two. Before connecting there is no event to miss, so this subscribes first.
        let listening = client.clone();
        let mut connected = pin!(listening.wait_for_connect());
        drop(connected.as_mut().now_or_never());
        let driving = client.connect();
        let connection = Self { client, lost: lost.clone(), _closes: close.clone().drop_guard() };
        let closing = connection.client.clone();
        let any_lost = any_lost.clone();
        tokio::spawn(async move {
            // Also when the runtime ends, and this task with it.
            let _lost = lost.drop_guard();
            let abort = driving.abort_handle();
            tokio::select! {
                // The client's task ends with its connection, since it has no reconnect policy.
                _ = driving => {}
                () = close.cancelled() => {
                    let _ = timeout(settings.connect, closing.quit()).await;
                    abort.abort();
                }
            }
            any_lost.cancel();
        });
        match timeout(settings.connect, connected).await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(error)) => Err(not_connected(node, access, error)),
            Err(_) => {
                let how = access.security.when_late();
                Err(Failure::NoConnection(format!("{node} was not ready in time{how}")))
            }
        }
    }

    fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Loads every script.
    pub(crate) async fn load_scripts(&self) -> Result<(), Failure> {
        for script in all() {
            self.load(script).await?;
        }
        Ok(())
    }

    pub(crate) async fn load(&self, script: &Script) -> Result<(), Failure> {
        self.unless_lost(Box::pin(self.client.script_load::<Value, _>(script.text.as_str())))
            .await
            .map(drop)
    }

    /// Calls a script.
    pub(crate) async fn call(
        &self,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Value>,
    ) -> Result<Value, Failure> {
        self.unless_lost(Box::pin(self.client.evalsha(script.hash.as_str(), keys, arguments))).await
    }

    /// Calls a script and waits, in the same pipeline, until this many replicas have the writes.
    pub(crate) async fn call_replicated(
        &self,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Value>,
        replicas: Replicas,
    ) -> Result<Value, Failure> {
        // Both are polled, and so sent, in this order over the one connection. With fred's own WAIT
        // the client would hold back later commands; the server already orders them.
        let wait = vec![
            Value::Integer(replicas.count.into()),
            Value::Integer(i64::try_from(replicas.within.as_millis()).unwrap_or(i64::MAX)),
        ];
        let (answer, reached) =
            tokio::join!(self.call(script, keys, arguments), self.send("WAIT", wait));
        let answer = answer?;
        match reached?.as_i64() {
            Some(reached) if reached >= i64::from(replicas.count) => Ok(answer),
            _ => Err(Failure::NotReplicated),
        }
    }

    /// Sends any command.
    pub(crate) async fn send(
        &self,
        command: &'static str,
        arguments: Vec<Value>,
    ) -> Result<Value, Failure> {
        let command = CustomCommand::new_static(command, ClusterHash::Random, false);
        self.unless_lost(Box::pin(self.client.custom(command, arguments))).await
    }

    /// A client that lost its connection may keep a command without ever answering it. Commands are
    /// boxed: their futures take thousands of bytes, and each layer would copy them.
    async fn unless_lost<T>(
        &self,
        request: Pin<Box<impl Future<Output = Result<T, fred::error::Error>>>>,
    ) -> Result<T, Failure> {
        if self.is_lost() {
            return Err(Failure::NoConnection("the connection was lost".to_owned()));
        }
        match self.lost.run_until_cancelled(request).await {
            Some(answer) => Ok(answer?),
            None => Err(Failure::Unknown("the connection was lost".to_owned())),
        }
    }
}

/// A refusal keeps the server's message; any other error becomes `NoConnection`.
fn not_connected(node: &Node, access: &Access, error: fred::error::Error) -> Failure {
    let said = access.security.why_not_connected(error.details());
    let why = Failure::NoConnection(format!("{node}: {said}"));
    let failure = Failure::from(error);
    if matches!(failure, Failure::Refused(_) | Failure::Rejected(_)) { failure } else { why }
}

/// How many replicas must acknowledge a write, and within which time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replicas {
    pub(crate) count: u8,
    pub(crate) within: Duration,
}

/// fred's defaults are not safe here: no time limit on a command, three attempts at commands whose
/// outcome is unknown, an unbounded buffer, and no detection of dead connections.
fn client(node: &Node, access: &Access, settings: ConnectionSettings) -> Result<Client, Failure> {
    let tls = match &access.security {
        Security::Plain => None,
        Security::Tls(Some(tls)) => {
            Some(TlsConnector::from(ClientConfig::clone(tls.config())).into())
        }
        Security::Tls(None) => return Err(Failure::NoConnection("TLS is not set up".to_owned())),
    };
    let config = Config {
        server: ServerConfig::new_centralized(node.host.clone(), node.port),
        username: access.credentials.as_ref().and_then(|c| c.user.clone()),
        password: access.credentials.as_ref().map(|c| c.password.clone()),
        database: (access.database != 0).then_some(access.database),
        tls,
        fail_fast: true,
        ..Config::default()
    };
    let connection = ConnectionConfig {
        connection_timeout: settings.connect,
        internal_command_timeout: settings.connect,
        // The caller decides whether to retry a command whose outcome is unknown, never the client.
        max_command_attempts: 1,
        max_redirections: 0,
        max_command_buffer_len: settings.max_in_flight,
        // A frame unanswered for twice the limit of a command marks the connection dead.
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(settings.answer * 2),
            interval: (settings.answer / 2).max(Duration::from_millis(10)),
        },
        // The server may belong to a cluster that is not complete; this connection needs only its
        // own node.
        disable_cluster_health_check: true,
        tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    };
    let performance = PerformanceConfig {
        default_command_timeout: settings.answer,
        ..PerformanceConfig::default()
    };
    Builder::from_config(config)
        .set_connection_config(connection)
        .set_performance_config(performance)
        .build()
        .map_err(|error| Failure::NoConnection(error.details().to_owned()))
}

/// How this node came to a server.
#[derive(Clone, Copy)]
pub(crate) enum Came {
    /// It had no server before.
    First,
    /// The previous server, still a primary, redirected to this one.
    HandedOver,
    /// The previous server was lost or demoted.
    AfterLoss,
}

impl Came {
    /// The word that scripts use for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::HandedOver => "handed",
            Self::AfterLoss => "lost",
        }
    }
}

/// The connections to the primary of a queue. Each thread that sends joins has one of its own,
/// which may have to wait for a replica. Everything else shares one that never waits.
pub(crate) struct ConnectionSet {
    pub(crate) node: Node,
    /// The server's process: its `run_id`, which changes with every restart and failover.
    pub(crate) run: String,
    pub(crate) came: Came,
    access: Access,
    settings: ConnectionSettings,
    /// Each is run by its thread, so that data on it wakes no other thread.
    joins: ThreadLocal<Mutex<Option<Arc<Connection>>>>,
    pub(crate) rest: Connection,
    /// Cancelled when the server ends any of them.
    lost: CancellationToken,
    /// Cancelled by a caller that finds this is no longer the primary.
    pub(crate) misleading: CancellationToken,
}

impl ConnectionSet {
    pub(crate) async fn connect(
        node: Node,
        access: &Access,
        settings: ConnectionSettings,
    ) -> Result<Self, Failure> {
        let lost = CancellationToken::new();
        let rest = Connection::one_of(&node, access, settings, &lost).await?;
        rest.load_scripts().await?;
        let run = run_of(&rest).await?;
        Ok(Self {
            node,
            run,
            came: Came::First,
            access: access.clone(),
            settings,
            joins: ThreadLocal::new(),
            rest,
            lost,
            misleading: CancellationToken::new(),
        })
    }

    /// Whether the server reports that it is a primary.
    pub(crate) async fn is_primary(&self) -> Result<bool, Failure> {
        Ok(self.role().await? == Role::Primary)
    }

    /// The role the server reports.
    pub(crate) async fn role(&self) -> Result<Role, Failure> {
        Ok(Role::of(&self.rest.send("ROLE", Vec::new()).await?, &self.node))
    }

    /// The connection for the batches of this thread.
    pub(crate) async fn for_joins(&self) -> Result<Arc<Connection>, Failure> {
        let mut joins = self.joins.get_or_default().lock().await;
        // A lost connection may belong to an ended thread that had the same `ThreadLocal` slot.
        if let Some(connection) = joins.as_ref().filter(|connection| !connection.is_lost()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.connect_for_joins().await?);
        *joins = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn connect_for_joins(&self) -> Result<Connection, Failure> {
        let connection =
            Connection::one_of(&self.node, &self.access, self.settings, &self.lost).await?;
        // Another process may run at this address by now. What is known of the previous one does
        // not hold for it.
        if run_of(&connection).await? != self.run {
            self.lost.cancel();
            return Err(Failure::NoConnection(format!("{} was restarted", self.node)));
        }
        Ok(connection)
    }

    /// Waits until the server has ended any connection.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

async fn run_of(connection: &Connection) -> Result<String, Failure> {
    let info =
        connection.send("INFO", vec![Value::from("server")]).await?.as_string().unwrap_or_default();
    let run = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(run.unwrap_or_default().trim().to_owned())
}
