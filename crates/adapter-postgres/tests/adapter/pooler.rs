//! A proxy that affects connections as a pooler between the pool and the server may.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use test_support::Database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Forwards all traffic, counts the server's errors, and can run its own statements on open
/// connections. It ends with the runtime.
pub(crate) struct Pooler {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    open: tokio::sync::Mutex<Vec<Link>>,
    connections: Mutex<u32>,
    errors: Mutex<BTreeMap<String, u32>>,
}

/// A connection to the server, and the receiver of its replies.
struct Link {
    to_server: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    answers: Arc<Mutex<Answers>>,
}

/// Who receives the server's replies.
#[derive(Default)]
enum Answers {
    #[default]
    TheClient,
    /// The proxy, until the statement is done.
    Us(oneshot::Sender<()>),
    /// The connection is closed.
    Nobody,
}

impl Pooler {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let by_task = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                by_task.join(client, server).await;
            }
        });
        Self { address, seen }
    }

    /// Starts a proxy in front of this database, and returns the URL through it.
    pub(crate) async fn before(database: &Database) -> (Self, String) {
        let pooler = Self::to(database.server_address().unwrap()).await;
        let url = format!("postgres://postgres@{}/{}", pooler.address, database.name());
        (pooler, url)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections opened so far.
    pub(crate) fn connections(&self) -> u32 {
        *self.seen.connections.lock().unwrap()
    }

    /// Errors with this SQLSTATE that the server sent.
    pub(crate) fn errors(&self, code: &str) -> u32 {
        self.seen.errors.lock().unwrap().get(code).copied().unwrap_or_default()
    }

    /// Runs a statement on each open connection, none of which may be in use, and discards the
    /// results.
    pub(crate) async fn run_on_each(&self, statement: &str) {
        let mut query = vec![b'Q'];
        query.extend_from_slice(&u32::try_from(statement.len() + 5).unwrap().to_be_bytes());
        query.extend_from_slice(statement.as_bytes());
        query.push(0);
        for link in self.seen.open.lock().await.iter() {
            let (done, is_done) = oneshot::channel();
            if !link.answers.lock().unwrap().us(done) {
                continue;
            }
            if link.to_server.lock().await.write_all(&query).await.is_ok() {
                // Fails if the connection is closed.
                let _ = is_done.await;
            }
        }
    }
}

impl Answers {
    /// Switches to the proxy, if the connection is open.
    fn us(&mut self, done: oneshot::Sender<()>) -> bool {
        let is_open = !matches!(self, Self::Nobody);
        if is_open {
            *self = Self::Us(done);
        }
        is_open
    }
}

impl Seen {
    async fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        for end in [&client, &server] {
            end.set_nodelay(true).unwrap();
        }
        let (mut from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let to_server = Arc::new(tokio::sync::Mutex::new(to_server));
        let answers = Arc::<Mutex<Answers>>::default();
        let link = Link { to_server: Arc::clone(&to_server), answers: Arc::clone(&answers) };
        self.open.lock().await.push(link);
        *self.connections.lock().unwrap() += 1;
        tokio::spawn(async move {
            let mut bytes = vec![0; 16 * 1024];
            while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                if to_server.lock().await.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
            let _ = to_server.lock().await.shutdown().await;
        });
        let seen = Arc::clone(self);
        tokio::spawn(async move {
            // Runs until either end closes.
            let _ = seen.pass_back(from_server, to_client, &answers).await;
            *answers.lock().unwrap() = Answers::Nobody;
        });
    }

    /// Forwards the server's messages to the client.
    async fn pass_back(
        &self,
        mut server: OwnedReadHalf,
        mut client: OwnedWriteHalf,
        answers: &Mutex<Answers>,
    ) -> io::Result<()> {
        loop {
            let mut message = vec![0; 5];
            server.read_exact(&mut message).await?;
            let length =
                u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
            message.resize(1 + length, 0);
            server.read_exact(&mut message[5..]).await?;
            let is_ours = matches!(*answers.lock().unwrap(), Answers::Us(_));
            if !is_ours {
                self.count_error(&message);
                client.write_all(&message).await?;
            } else if message[0] == b'Z' {
                // Ready for the next statement.
                let done = std::mem::take(&mut *answers.lock().unwrap());
                if let Answers::Us(done) = done {
                    done.send(()).unwrap();
                }
            }
        }
    }

    fn count_error(&self, message: &[u8]) {
        if message[0] != b'E' {
            return;
        }
        let mut fields = message[5..].split(|byte| *byte == 0);
        if let Some(code) = fields.find_map(|field| field.strip_prefix(b"C")) {
            let code = String::from_utf8_lossy(code).into_owned();
            *self.errors.lock().unwrap().entry(code).or_default() += 1;
        }
    }
}
