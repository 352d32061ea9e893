//! The contract suite: three nodes on a single server, and on a cluster; then values that only
//! Redis can have under a key.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{CacheSigner, RedisAddress, RedisCacheSettings, RedisCacheStore};
use bytes::Bytes;
use contracts::cache::{CacheFixture, CacheHarness};
use decorators::cache::{CacheKey, CacheStore, CopyVersion, LeaseId, PutOutcome, Unusable};

use super::support::{LONG, PATIENT, key, lookup, name_of, open, settings, signer};
use crate::support::{CLUSTER, SINGLE, cluster, single};
use crate::tls;

#[derive(Clone, Copy)]
enum Servers {
    Single,
    Tls,
    Cluster,
}

struct Harness {
    servers: Servers,
    settings: RedisCacheSettings,
    nodes: Vec<Arc<RedisCacheStore>>,
}

impl Servers {
    fn address(self) -> RedisAddress {
        match self {
            Self::Single => single(SINGLE.address()),
            Self::Tls => tls::address(),
            Self::Cluster => cluster(&CLUSTER.addresses()),
        }
    }

    fn world(self) -> Harness {
        let address = self.address();
        let settings = settings(PATIENT);
        let node = |_| Arc::new(open(address.clone(), settings.clone()));
        Harness { servers: self, nodes: (0..3).map(node).collect(), settings }
    }
}

impl Harness {
    fn name(&self, key: &CacheKey) -> String {
        name_of(&self.settings, key)
    }

    async fn command(&self, words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let servers = self.servers;
        let answer = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match servers {
                Servers::Single => SINGLE.command(&words),
                Servers::Tls => tls::server().command(&words),
                Servers::Cluster => CLUSTER.command(&words),
            }
        });
        answer.await.unwrap().unwrap()
    }

    /// The server's clock: this machine's other clock may run at a slightly different rate.
    async fn time(&self) -> Duration {
        let reply = self.command(&["TIME"]).await;
        let [seconds, micros] = [0, 1].map(|n| reply.lines().nth(n).unwrap().parse().unwrap());
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    }

    /// Another deployment on the same servers, with the same prefix.
    fn neighbour(&self, signer: CacheSigner) -> RedisCacheStore {
        RedisCacheStore::open(self.servers.address(), self.settings.clone(), signer)
    }

    /// Overwrites part of the value under a key.
    async fn overwrite(&self, key: &CacheKey, at: usize, with: &str) {
        self.command(&["SETRANGE", &self.name(key), &at.to_string(), with]).await;
    }
}

#[async_trait::async_trait]
impl CacheFixture for Servers {
    async fn open(&self) -> Box<dyn CacheHarness> {
        Box::new(self.world())
    }
}

#[async_trait::async_trait]
impl CacheHarness for Harness {
    fn handles(&self) -> Vec<Arc<dyn CacheStore>> {
        self.nodes.iter().map(|node| Arc::clone(node) as Arc<dyn CacheStore>).collect()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    async fn plant(&self, key: &CacheKey, what: Unusable) {
        let name = self.name(key);
        self.command(&["DEL", &name]).await;
        let put = self.nodes[0].put(
            key,
            Bytes::from_static(b"spoilt"),
            CopyVersion(1 << 50),
            LONG,
            LeaseId(0),
        );
        assert_eq!(put.await.unwrap(), PutOutcome::Kept);
        match what {
            Unusable::Version => self.overwrite(key, 3, "9").await,
            Unusable::TooLarge => self.overwrite(key, self.longest() + 36, "x").await,
            Unusable::Corrupt => self.overwrite(key, 21, "X").await,
            Unusable::Foreign => {
                let neighbour = self.neighbour(signer("main", 2, &[]));
                let payload = Bytes::from_static(b"poison");
                let put =
                    neighbour.put(key, payload, CopyVersion((1 << 50) + 1), LONG, LeaseId(0)).await;
                assert_eq!(put.unwrap(), PutOutcome::Kept);
            }
        }
    }

    fn longest(&self) -> usize {
        self.settings.max_entry_bytes
    }
}

mod on_one_server {
    use super::*;
    contracts::cache_store_contract!(Servers::Single);
}

mod over_tls {
    use super::*;
    contracts::cache_store_contract!(Servers::Tls);
}

mod on_a_cluster {
    use super::*;
    contracts::cache_store_contract!(Servers::Cluster);
}

/// A copy that looks fresh to the scripts but has a wrong checksum.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_that_looks_fresh_is_leased_and_replaced() {
    for servers in [Servers::Single, Servers::Cluster] {
        let world = servers.world();
        let (node, key) = (&world.nodes[0], key("damaged"));
        let CopyVersion(at) = lookup(node, &key).await.unwrap().at;
        node.put(&key, Bytes::from_static(b"payload"), CopyVersion(at), LONG, LeaseId(7))
            .await
            .unwrap();
        world.overwrite(&key, 25, "!").await;
        let found = lookup(node, &key).await.unwrap();
        assert_eq!((found.kept, found.leased), (Err(Unusable::Corrupt), true));
        let put =
            node.put(&key, Bytes::from_static(b"new"), CopyVersion(at - 1), LONG, LeaseId(7)).await;
        assert_eq!(put.unwrap(), PutOutcome::Kept);
        assert_eq!(lookup(node, &key).await.unwrap().kept.unwrap().unwrap().payload, "new");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unexpected_value_under_a_key_is_corrupt_and_replaced() {
    let world = Servers::Single.world();
    let node = &world.nodes[0];
    let leavings: [&[&str]; 8] = [
        &["RPUSH", "a"],
        &["HSET", "a", "b"],
        &["SADD", "a"],
        &["ZADD", "1", "a"],
        &["XADD", "*", "a", "b"],
        &["SET", ""],
        &["SET", "bxc"],
        &["SET", "something that is long enough for a head"],
    ];
    for (n, leaving) in leavings.iter().enumerate() {
        let key = key(n);
        let [copy, lease] = [world.name(&key), format!("{}:lease", world.name(&key))];
        for name in [&copy, &lease] {
            world.command(&[&leaving[..1], &[name.as_str()], &leaving[1..]].concat()).await;
        }
        if leaving[0] == "SET" {
            world.command(&["DEL", &lease]).await;
        }
        let found = lookup(node, &key).await.unwrap();
        assert_eq!((found.kept, found.leased), (Err(Unusable::Corrupt), true), "{leaving:?}");
        let put =
            node.put(&key, Bytes::from_static(b"copy"), found.at, LONG, LeaseId(7)).await.unwrap();
        assert_eq!(put, PutOutcome::Kept, "{leaving:?}");
        assert_eq!(lookup(node, &key).await.unwrap().kept.unwrap().unwrap().payload, "copy");
        assert_eq!(world.command(&["EXISTS", &lease]).await, "0", "the lease ended with the put");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_the_future_is_replaced_after_the_clock_is_set_back() {
    let world = Servers::Single.world();
    let (node, key) = (&world.nodes[0], key("future"));
    let CopyVersion(now) = lookup(node, &key).await.unwrap().at;
    let tomorrow = CopyVersion(now + 24 * 3_600 * 1_000_000);
    node.put(&key, Bytes::from_static(b"tomorrow's"), tomorrow, LONG, LeaseId(7)).await.unwrap();
    let found = lookup(node, &key).await.unwrap();
    assert_eq!((found.kept, found.leased), (Err(Unusable::Corrupt), true));
    assert!(found.at < tomorrow);
    let put =
        node.put(&key, Bytes::from_static(b"today's"), found.at, LONG, LeaseId(7)).await.unwrap();
    assert_eq!(put, PutOutcome::Kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_of_another_writer_is_ignored_until_ours_replaces_it() {
    let world = Servers::Single.world();
    let node = &world.nodes[0];
    let name = format!("{}:main:{{concerts}}:invalidated", world.settings.prefix);
    let long = "9".repeat(200);
    for leaving in [
        &["SET", &name, "nonsense"][..],
        &["SET", &name, "1777896000123456"],
        &["SET", &name, "00000000000000000000000000000000:1777896000123456"],
        &["SET", &name, "xx:1"],
        &["SET", &name, &long],
        &["RPUSH", &name, "1"],
    ] {
        world.command(&["DEL", &name]).await;
        world.command(leaving).await;
        let before = world.command(&["DUMP", &name]).await;
        for _again in 0..2 {
            assert_eq!(node.invalidated("concerts").await.unwrap(), None, "{leaving:?}");
        }
        assert_eq!(world.command(&["DUMP", &name]).await, before, "a read changes nothing");
        node.invalidate("concerts").await.unwrap();
        let ago = world.nodes[1].invalidated("concerts").await.unwrap().unwrap();
        assert!(ago < Duration::from_secs(60), "{ago:?}");
    }
    // An invalidation of one kind, or of another deployment, does not count for another.
    world.command(&["COPY", &name, &name.replace("concerts", "dates")]).await;
    assert_eq!(node.invalidated("dates").await.unwrap(), None);
    world.neighbour(signer("main", 2, &[])).invalidate("concerts").await.unwrap();
    assert_eq!(node.invalidated("concerts").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalidations_at_the_same_moment_do_not_undo_each_other() {
    let world = Servers::Single.world();
    for _round in 0..20 {
        let all = world.nodes.iter().cycle().take(12).map(async |node| {
            let began = world.time().await;
            node.invalidate("concerts").await.unwrap();
            let ago = node.invalidated("concerts").await.unwrap().unwrap();
            let since = world.time().await - began;
            assert!(ago <= since, "{ago:?} ago, and it began {since:?} ago");
        });
        futures_util::future::join_all(all).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_neither_poisons_nor_collides() {
    for servers in [Servers::Single, Servers::Cluster] {
        let world = servers.world();
        let (node, key) = (&world.nodes[0], key("page"));
        let payload = |text: &'static str| Bytes::from_static(text.as_bytes());
        let at = lookup(node, &key).await.unwrap().at;
        assert_eq!(
            node.put(&key, payload("ours"), at, LONG, LeaseId(7)).await.unwrap(),
            PutOutcome::Kept
        );
        // A deployment with another name has separate keys.
        let other = world.neighbour(signer("other", 1, &[]));
        assert_eq!(lookup(&other, &key).await.unwrap().kept, Ok(None));
        other.put(&key, payload("theirs"), at, LONG, LeaseId(7)).await.unwrap();
        assert_eq!(lookup(node, &key).await.unwrap().kept.unwrap().unwrap().payload, "ours");
        // One with the same name and another key replaces copies, but its own are not trusted.
        let twin = world.neighbour(signer("main", 2, &[]));
        let found = lookup(&twin, &key).await.unwrap();
        assert_eq!((found.kept, found.leased), (Err(Unusable::Foreign), true));
        assert_eq!(
            twin.put(&key, payload("theirs"), found.at, LONG, LeaseId(7)).await.unwrap(),
            PutOutcome::Kept
        );
        let found = lookup(node, &key).await.unwrap();
        assert_eq!((found.kept, found.leased), (Err(Unusable::Foreign), true));
        assert_eq!(
            node.put(&key, payload("ours"), found.at, LONG, LeaseId(7)).await.unwrap(),
            PutOutcome::Kept
        );
        assert_eq!(lookup(node, &key).await.unwrap().kept.unwrap().unwrap().payload, "ours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_valid_only_under_its_own_name() {
    let world = Servers::Single.world();
    let (node, [first, second]) = (&world.nodes[0], [key("page-1"), key("page-2")]);
    let at = lookup(node, &first).await.unwrap().at;
    node.put(&first, Bytes::from_static(b"first"), at, LONG, LeaseId(7)).await.unwrap();
    world.command(&["COPY", &world.name(&first), &world.name(&second)]).await;
    let found = lookup(node, &second).await.unwrap();
    assert_eq!((found.kept, found.leased), (Err(Unusable::Foreign), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_outlive_a_rotation_of_keys() {
    let world = Servers::Single.world();
    let [old, both, new] =
        [signer("main", 1, &[]), signer("main", 2, &[1]), signer("main", 2, &[])]
            .map(|s| world.neighbour(s));
    let [first, second] = [key("first"), key("second")];
    for (writer, key) in [(&old, &first), (&both, &second)] {
        let at = lookup(writer, key).await.unwrap().at;
        writer.put(key, Bytes::from_static(b"copy"), at, LONG, LeaseId(7)).await.unwrap();
    }
    old.invalidate("concerts").await.unwrap();
    assert_eq!(lookup(&both, &first).await.unwrap().kept.unwrap().unwrap().payload, "copy");
    assert_eq!(lookup(&new, &second).await.unwrap().kept.unwrap().unwrap().payload, "copy");
    assert_eq!(lookup(&new, &first).await.unwrap().kept, Err(Unusable::Foreign));
    assert!(both.invalidated("concerts").await.unwrap().is_some());
    assert_eq!(new.invalidated("concerts").await.unwrap(), None);
}

/// A lease of another deployment, or one without an end, does not delay loading.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_another_writer_does_not_block_loading() {
    let world = Servers::Single.world();
    let node = &world.nodes[0];
    let ours = key("ours");
    assert!(lookup(node, &ours).await.unwrap().leased);
    let lease = |key: &CacheKey| format!("{}:lease", world.name(key));
    let (taken, day) = (world.command(&["GET", &lease(&ours)]).await, "86400000");
    let taken = taken.trim();
    for (n, value) in [
        &["00000000000000000000000000000007", "PX", "1000"][..],
        &["x", "PX", day],
        &[taken, "PX", "1000"],
    ]
    .into_iter()
    .enumerate()
    {
        let other = key(format!("other-{n}"));
        world.command(&[&["SET", lease(&other).as_str()], value].concat()).await;
        assert!(lookup(node, &other).await.unwrap().leased, "{value:?}");
    }
    // A writer that has copied our mark: without an expiry, and with one that is too late.
    let theirs = format!("{}8", taken.strip_suffix('7').unwrap());
    for value in [&[theirs.as_str()][..], &[theirs.as_str(), "PX", day]] {
        world.command(&[&["SET", lease(&ours).as_str()], value].concat()).await;
        assert!(lookup(node, &ours).await.unwrap().leased, "{value:?}");
    }
}
