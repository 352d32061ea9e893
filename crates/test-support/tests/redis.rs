//! Private Redis servers behave as tests need, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use test_support::{Redis, RedisBinaries, RedisCluster, RedisSentinels, RedisSetup};

const LIMIT: Duration = Duration::from_secs(60);

fn binaries() -> RedisBinaries {
    RedisBinaries::find().unwrap()
}

fn start(setup: RedisSetup) -> Redis {
    Redis::start(&binaries(), setup).unwrap()
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// The server's process, as the system lists it.
fn process(server: &Redis) -> String {
    let said = server.command(&["INFO", "server"]).unwrap();
    let id = said.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    format!("/proc/{}", id.trim())
}

fn is_there(process: &str) -> bool {
    Path::new(process).exists()
}

/// The data folder of the server.
fn folder(server: &Redis) -> String {
    server.command(&["CONFIG", "GET", "dir"]).unwrap().lines().nth(1).unwrap().to_owned()
}

/// A connection with a short read timeout.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream
}

#[test]
fn a_killed_server_has_its_data_when_it_is_restarted() {
    let server = start(RedisSetup::default());
    let (address, before) = (server.address(), process(&server));
    server.command(&["SET", "key", "value"]).unwrap();
    server.kill().unwrap();
    assert!(!server.is_running() && !is_there(&before));
    assert!(TcpStream::connect(address).is_err());
    assert!(
        server.command(&["PING"]).is_err()
            && server.freeze().is_err()
            && server.process_cpu().is_err()
    );
    server.restart().unwrap();
    assert!(server.is_running() && server.address() == address);
    assert_eq!(server.command(&["GET", "key"]).unwrap(), "value");
    // Also if it was not killed before.
    server.restart().unwrap();
    assert_eq!(server.command(&["GET", "key"]).unwrap(), "value");
}

#[test]
fn a_server_has_the_configured_settings() {
    let lines = ["maxmemory-policy allkeys-lru", "appendonly no", "requirepass secret"];
    let server = start(lines.into_iter().fold(RedisSetup::default(), RedisSetup::line));
    let policy = server.command(&["CONFIG", "GET", "maxmemory-policy"]).unwrap();
    assert_eq!(policy, "maxmemory-policy\nallkeys-lru");
    assert_eq!(server.command(&["CONFIG", "GET", "appendonly"]).unwrap(), "appendonly\nno");
    // The server requires the password.
    let mut stranger = connect(server.address());
    stranger.write_all(b"PING\r\n").unwrap();
    let mut said = [0; 7];
    stranger.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"-NOAUTH");
}

#[test]
fn an_invalid_setting_returns_the_servers_error() {
    let error = Redis::start(&binaries(), RedisSetup::default().line("no-such-thing 1")).map(drop);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no-such-thing"), "{error}");
}

#[test]
fn an_error_reply_is_an_error() {
    let server = start(RedisSetup::default());
    let error = server.command(&["NOSUCHTHING"]).unwrap_err().to_string();
    assert!(error.contains("unknown command"), "{error}");
    assert_eq!(server.command(&["GET", "nothing"]).unwrap(), "");
    assert_eq!(server.command(&["SET", "two words", " x "]).unwrap(), "OK");
    assert_eq!(server.command(&["EXISTS", "two words"]).unwrap(), "1");
}

#[test]
fn the_processor_time_grows_with_the_work() {
    let server = start(RedisSetup::default());
    let before = server.process_cpu().unwrap();
    let work = "local n = 0; for i = 1, 3000000 do n = n + i end; return n";
    // The system counts in ticks, and a busy one may miss a short run.
    let has_grown = (0..100).any(|_| {
        server.command(&["EVAL", work, "0"]).unwrap();
        server.process_cpu().unwrap() > before
    });
    assert!(has_grown);
}

#[test]
fn a_frozen_server_does_not_answer_until_it_thaws() {
    let server = start(RedisSetup::default());
    let mut client = connect(server.address());
    server.freeze().unwrap();
    assert!(server.is_running());
    client.write_all(b"PING\r\n").unwrap();
    let mut said = [0; 7];
    let error = client.read(&mut said).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    server.thaw().unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"+PONG\r\n");
    assert_eq!(server.command(&["PING"]).unwrap(), "PONG");
}

#[test]
fn a_replica_has_the_primarys_data_and_can_be_promoted() {
    let primary = start(RedisSetup::default());
    let replica = start(RedisSetup::default().replica_of(primary.address()));
    primary.command(&["SET", "key", "value"]).unwrap();
    primary.wait_for_replica(&replica).unwrap();
    assert_eq!(replica.command(&["GET", "key"]).unwrap(), "value");
    assert!(replica.command(&["SET", "key", "other"]).is_err());
    primary.kill().unwrap();
    replica.promote().unwrap();
    replica.command(&["SET", "key", "other"]).unwrap();
    replica.restart().unwrap();
    replica.command(&["APPEND", "key", "wise"]).unwrap();
    assert_eq!(replica.command(&["GET", "key"]).unwrap(), "otherwise");
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    let (running, frozen, killed) =
        (start(RedisSetup::default()), start(RedisSetup::default()), start(RedisSetup::default()));
    let left = [&running, &frozen, &killed].map(|server| (process(server), folder(server)));
    assert!(left.iter().all(|(process, folder)| is_there(process) && Path::new(folder).is_dir()));
    frozen.freeze().unwrap();
    killed.kill().unwrap();
    drop((running, frozen, killed));
    for (process, folder) in left {
        assert!(!is_there(&process) && !Path::new(&folder).exists());
        assert!(!Path::new(&format!("{folder}.ended")).exists());
    }
}

#[test]
fn a_cluster_fails_over_and_recovers_when_the_node_returns() {
    let cluster = RedisCluster::start(&binaries(), 3, 1).unwrap();
    assert_eq!(cluster.addresses().len(), 6);
    let (old, replica) = (cluster.primary_of("key").unwrap(), cluster.replica_of("key").unwrap());
    assert!(old < 3 && replica >= 3);
    cluster.command(&["SET", "key", "value"]).unwrap();
    cluster.nodes()[old].wait_for_replica(&cluster.nodes()[replica]).unwrap();

    cluster.nodes()[old].kill().unwrap();
    cluster.wait_until_whole(LIMIT).unwrap();
    assert_eq!(cluster.primary_of("key").unwrap(), replica);
    assert!(cluster.replica_of("key").is_err());
    assert_eq!(cluster.command(&["GET", "key"]).unwrap(), "value");

    cluster.nodes()[old].restart().unwrap();
    cluster.wait_until_whole(LIMIT).unwrap();
    assert_eq!(cluster.replica_of("key").unwrap(), old);

    // A frozen node counts as down too, and again has a replica that takes over.
    cluster.nodes()[replica].freeze().unwrap();
    cluster.wait_until_whole(LIMIT).unwrap();
    assert_eq!(cluster.primary_of("key").unwrap(), old);
    assert_eq!(cluster.command(&["GET", "key"]).unwrap(), "value");
    cluster.nodes()[replica].thaw().unwrap();
    cluster.wait_until_whole(LIMIT).unwrap();

    let processes: Vec<String> = cluster.nodes().iter().map(process).collect();
    drop(cluster);
    assert!(!processes.iter().any(|process| is_there(process)));
}

#[test]
fn a_slot_moves_under_writes_without_loss() {
    let cluster = RedisCluster::start(&binaries(), 2, 1).unwrap();
    let from = cluster.primary_of("{tag}").unwrap();
    let to = 1 - from;
    for key in 0..40 {
        cluster.command(&["SET", &format!("{{tag}}{key}"), "value"]).unwrap();
    }
    let is_over = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !is_over.load(Ordering::SeqCst) {
                cluster.command(&["INCR", "{tag}count"]).unwrap();
                cluster.command(&["SET", &format!("{{tag}}new{written}"), "value"]).unwrap();
                written += 1;
            }
            written
        });
        let moved = cluster.move_slot_of("{tag}", to);
        is_over.store(true, Ordering::SeqCst);
        moved.unwrap();
        writer.join().unwrap()
    });
    assert_eq!(cluster.primary_of("{tag}").unwrap(), to);
    let refused = cluster.nodes()[from].command(&["GET", "{tag}1"]).unwrap_err().to_string();
    assert!(refused.contains("MOVED"), "{refused}");
    assert_eq!(cluster.command(&["GET", "{tag}count"]).unwrap(), written.to_string());
    let slot = cluster.command(&["CLUSTER", "KEYSLOT", "{tag}"]).unwrap();
    let count = |node: usize| {
        cluster.nodes()[node].command(&["CLUSTER", "COUNTKEYSINSLOT", &slot]).unwrap()
    };
    assert_eq!((count(from), count(to)), ("0".to_owned(), (40 + 1 + written).to_string()));
    cluster.wait_until_whole(LIMIT).unwrap();
    // The slot is already there.
    cluster.move_slot_of("{tag}", to).unwrap();
}

#[test]
fn sentinels_promote_the_replica_when_the_primary_is_killed() {
    let watched = RedisSentinels::start(&binaries()).unwrap();
    assert_eq!((watched.sentinels().len(), watched.name()), (3, "boxoffice"));
    assert_eq!(watched.primary_address().unwrap(), watched.primary().address());
    watched.primary().command(&["SET", "key", "value"]).unwrap();
    watched.primary().wait_for_replica(watched.replica()).unwrap();
    watched.primary().kill().unwrap();
    // One sentinel may be down too.
    watched.sentinel_servers()[0].kill().unwrap();
    let new = watched.replica().address();
    eventually("the replica is the primary", || {
        watched.primary_address().is_ok_and(|address| address == new)
    });
    eventually("the new primary accepts writes", || {
        watched.replica().command(&["APPEND", "key", "s"]).is_ok()
    });
    assert!(watched.replica().command(&["GET", "key"]).unwrap().starts_with("values"));
    watched.primary().restart().unwrap();
    eventually("the old one is the replica", || {
        watched.replica().wait_for_replica(watched.primary()).is_ok()
    });
}

#[test]
fn many_servers_start_at_the_same_time() {
    let servers: Vec<Redis> = thread::scope(|scope| {
        let starting: Vec<_> =
            (0..8).map(|_| scope.spawn(|| start(RedisSetup::default()))).collect();
        starting.into_iter().map(|server| server.join().unwrap()).collect()
    });
    for (index, server) in servers.iter().enumerate() {
        server.command(&["SET", "key", &index.to_string()]).unwrap();
    }
    for (index, server) in servers.iter().enumerate() {
        assert_eq!(server.command(&["GET", "key"]).unwrap(), index.to_string());
        assert!(fs::exists(folder(server)).unwrap());
    }
}
