//! Encrypted connections, users of servers and sentinels, and numbered databases, by both clients.

mod certificates;

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use adapter_redis::{CachePoolSettings, RedisAddress, RedisQueue, RedisTls, TlsFiles};
use domain::queue::{QueueCounters, QueueStore as _};
use domain::{PortError, PortErrorKind};
use test_support::{Redis, RedisCluster, RedisSetup, RedisTlsFiles};

use self::certificates::Authority;
use crate::cache::{PATIENT, get_and_put, key, lookup, store};
use crate::faults::blocking;
use crate::storm::{brisk, pause};
use crate::support::{binaries, get_ready, new_queue, ready_nodes, said, settings};

const HOST: &str = "127.0.0.1";
const PASSWORD: &str = "opensesame";

/// Some servers never answer a client that speaks otherwise.
const SHORT: Duration = Duration::from_secs(2);

/// Shared by the tests that break nothing.
static TLS: LazyLock<(Redis, RedisTls)> = LazyLock::new(|| {
    let authority = Authority::new();
    let files = authority.server(authority.sign(HOST), false);
    let redis = Redis::start(&binaries(), RedisSetup::default().tls(files)).unwrap();
    (redis, authority.client(None))
});

/// The server behind [`address`].
pub(crate) fn server() -> &'static Redis {
    &TLS.0
}

/// The address of a single server that is entered over TLS.
pub(crate) fn address() -> RedisAddress {
    let (redis, client) = &*TLS;
    parse(&format!("rediss://{}", redis.tls_address())).with_tls(client)
}

fn parse(text: &str) -> RedisAddress {
    RedisAddress::parse(text).unwrap()
}

fn start(setup: RedisSetup) -> Redis {
    blocking(|| Redis::start(&binaries(), setup))
}

fn with_tls(files: RedisTlsFiles) -> RedisSetup {
    RedisSetup::default().tls(files)
}

/// A queue and a cache work at this address.
async fn check_both(address: &RedisAddress) {
    let settings = settings(new_queue(), brisk());
    ready_nodes(1, address, &settings).await;
    let store = store(address, PATIENT);
    get_and_put(&store, &key("page"), b"copy").await.unwrap();
    assert_eq!(lookup(&store, &key("page")).await.unwrap().kept.unwrap().unwrap().payload, "copy");
}

/// Neither client gets in, and both say why.
async fn check_refused(address: &RedisAddress, expected: &[&str]) {
    let began = Instant::now();
    let limits = CachePoolSettings { connect: SHORT, ..PATIENT };
    let cache = lookup(&store(address, limits), &key("page")).await.unwrap_err();
    check_reason(&cache, expected);
    let mut settings = settings(new_queue(), brisk());
    settings.connection.connect = SHORT;
    let node = RedisQueue::open(address.clone(), settings);
    loop {
        let queue = node.snapshot(QueueCounters::START).await.unwrap_err();
        if expected.iter().any(|part| said(&queue).contains(part)) {
            check_reason(&queue, expected);
            break;
        }
        // The first calls may find that the node is still connecting.
        assert!(began.elapsed() < Duration::from_secs(20), "{}", said(&queue));
        pause().await;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "it hangs");
}

fn check_reason(error: &PortError, expected: &[&str]) {
    let why = said(error);
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{why}");
    assert!(expected.iter().any(|part| why.contains(part)), "{why}");
    assert!(!why.contains('\n') && !why.contains("sesame"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_server_is_entered_with_a_certificate_and_a_user() {
    let authority = Authority::new();
    let files = authority.server(authority.sign(HOST), true);
    let setup = with_tls(files).line(format!("user shop on >{PASSWORD} ~* &* +@all"));
    let redis = start(setup);
    let client = authority.client(Some(authority.sign("client")));
    let at = redis.tls_address();
    check_both(&parse(&format!("rediss://{at}")).with_tls(&client)).await;
    check_both(&parse(&format!("rediss://shop:{PASSWORD}@{at}")).with_tls(&client)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_certificate_is_one_clear_line() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let known = authority.client(None);
    let refuse = async |files: RedisTlsFiles, client: &RedisTls, expected: &str| {
        let redis = start(with_tls(files));
        let address = parse(&format!("rediss://{}", redis.tls_address()));
        check_refused(&address.with_tls(client), &[expected]).await;
    };
    let good = || authority.server(authority.sign(HOST), false);
    refuse(good(), &stranger.client(None), "unknown authority").await;
    let expired = authority.server(authority.sign_expired(HOST), false);
    refuse(expired, &known, "certificate has expired").await;
    let elsewhere = authority.server(authority.sign("elsewhere.example"), false);
    refuse(elsewhere, &known, "is not for this host").await;
    let asking = || authority.server(authority.sign(HOST), true);
    refuse(asking(), &known, "asks for a client's certificate").await;
    let strange = authority.client(Some(stranger.sign("client")));
    refuse(asking(), &strange, "does not know the authority of the client's certificate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_user_or_port_is_one_clear_line() {
    let authority = Authority::new();
    let files = authority.server(authority.sign(HOST), false);
    let redis = start(with_tls(files).line(format!("requirepass {PASSWORD}")));
    let client = authority.client(None);
    let (plain, tls) = (redis.address(), redis.tls_address());
    let over_tls =
        |user: &str, at: SocketAddr| parse(&format!("rediss://{user}@{at}")).with_tls(&client);
    check_both(&over_tls(&format!(":{PASSWORD}"), tls)).await;
    check_refused(&over_tls(":wrongsesame", tls), &["WRONGPASS"]).await;
    check_refused(&over_tls(&format!("nobody:{PASSWORD}"), tls), &["WRONGPASS"]).await;
    let in_plain_text = over_tls(&format!(":{PASSWORD}"), plain);
    check_refused(&in_plain_text, &["over TLS, in which a port without TLS does not answer"]).await;
    let encrypted = parse(&format!("redis://:{PASSWORD}@{tls}"));
    check_refused(&encrypted, &["may speak TLS"]).await;
    let without_files = parse(&format!("rediss://:{PASSWORD}@{tls}"));
    check_refused(&without_files, &["TLS is not set up"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_have_certificates_and_a_user_of_their_own() {
    let authority = Authority::new();
    let files = || authority.server(authority.sign(HOST), false);
    let primary = start(with_tls(files()).line(format!("user shop on >{PASSWORD} ~* &* +@all")));
    let at = primary.tls_address();
    let setup = with_tls(files())
        .sentinel()
        .line(format!("sentinel monitor main {} {} 1", at.ip(), at.port()))
        .line("requirepass control")
        .line("user watch on >hiddensesame ~* &* +@all");
    let sentinel = start(setup);
    let client = authority.client(None);
    let address = || {
        let text = format!("rediss-sentinel://shop:{PASSWORD}@{}/main", sentinel.tls_address());
        parse(&text).with_tls(&client)
    };
    check_both(&address().with_sentinel_credentials("watch", "hiddensesame")).await;
    check_both(&address().with_sentinel_credentials("", "control")).await;
    check_refused(&address(), &["NOAUTH"]).await;
    let wrong = address().with_sentinel_credentials("watch", PASSWORD);
    check_refused(&wrong, &["WRONGPASS"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_entered_over_tls_on_every_node() {
    let authority = Authority::new();
    let setup = with_tls(authority.server(authority.sign(HOST), false));
    let cluster = blocking(|| RedisCluster::start_with(&binaries(), &setup, 3, 0));
    let nodes: Vec<_> = cluster.nodes().iter().map(|node| node.tls_address().to_string()).collect();
    let client = authority.client(None);
    let address = parse(&format!("rediss-cluster://{}", nodes.join(","))).with_tls(&client);
    let store = store(&address, PATIENT);
    for name in 0..30 {
        get_and_put(&store, &key(name), b"copy").await.unwrap();
    }
    for _ in 0..6 {
        let queue = RedisQueue::open(address.clone(), settings(new_queue(), brisk()));
        get_ready(&queue).await;
    }
    let stranger = Authority::new();
    let one = parse(&format!("rediss-cluster://{}", nodes[0]));
    check_refused(&one.with_tls(&stranger.client(None)), &["unknown authority"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_server_keeps_everything_in_the_database_of_its_number() {
    let redis = start(RedisSetup::default());
    check_both(&parse(&format!("redis://{}/2", redis.address()))).await;
    let size = |database: &str| {
        blocking(|| redis.command(&["-n", database, "DBSIZE"])).parse::<u32>().unwrap()
    };
    assert_eq!(size("0"), 0);
    assert!(size("2") > 1);
    check_refused(&parse(&format!("redis://{}/200", redis.address())), &["DB index"]).await;
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let refused = |files: TlsFiles| RedisTls::load(&files).unwrap_err().to_string();
    let absent = authority.file("absent.pem", "");
    std::fs::remove_file(&absent).unwrap();
    let of_authorities = |path| TlsFiles { authorities: Some(path), identity: None };
    assert!(refused(of_authorities(absent)).contains("absent.pem: No such file"));
    let empty = authority.file("empty.pem", "hello");
    assert!(refused(of_authorities(empty.clone())).contains("empty.pem: has no certificate"));
    let (mut files, other) = (authority.files(Some(authority.sign("a"))), Authority::new());
    let theirs = other.files(Some(other.sign("b"))).identity.unwrap();
    let ours = files.identity.take().unwrap();
    let mixed = TlsFiles { identity: Some((ours.0.clone(), theirs.1)), ..files.clone() };
    assert!(refused(mixed).contains("client.key: "));
    let without_key = TlsFiles { identity: Some((ours.0, empty)), ..files };
    assert!(refused(without_key).contains("empty.pem: has no certificate or key"));
}
