//! The contract suite: three nodes on a single server, and on a cluster; then what only a Redis can have under a key.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{RedisCacheSettings, RedisCacheStore};
use bytes::Bytes;
use contracts::cache::{CacheFixture, CacheWorld};
use decorators::cache::{CacheKey, CacheStore, LeaseId, Put, Stamp, Unusable};

use super::support::{LONG, PATIENT, key, look, settings};
use crate::support::{CLUSTER, SINGLE, cluster, single};

#[derive(Clone, Copy)]
enum Servers {
    Single,
    Cluster,
}

struct World {
    servers: Servers,
    settings: RedisCacheSettings,
    nodes: Vec<Arc<RedisCacheStore>>,
}

impl Servers {
    fn world(self) -> World {
        let address = match self {
            Self::Single => single(SINGLE.address()),
            Self::Cluster => cluster(&CLUSTER.addresses()),
        };
        let settings = settings(PATIENT);
        let node = |_| Arc::new(RedisCacheStore::open(address.clone(), settings.clone()));
        World { servers: self, nodes: (0..3).map(node).collect(), settings }
    }
}

impl World {
    fn name(&self, key: &CacheKey) -> String {
        format!("{}:{{{key}}}", self.settings.prefix)
    }

    async fn command(&self, words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let servers = self.servers;
        let answer = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match servers {
                Servers::Single => SINGLE.command(&words),
                Servers::Cluster => CLUSTER.command(&words),
            }
        });
        answer.await.unwrap().unwrap()
    }

    /// Changes what is written under a key at one place.
    async fn overwrite(&self, key: &CacheKey, at: usize, with: &str) {
        self.command(&["SETRANGE", &self.name(key), &at.to_string(), with]).await;
    }
}

#[async_trait::async_trait]
impl CacheFixture for Servers {
    async fn open(&self) -> Box<dyn CacheWorld> {
        Box::new(self.world())
    }
}

#[async_trait::async_trait]
impl CacheWorld for World {
    fn handles(&self) -> Vec<Arc<dyn CacheStore>> {
        self.nodes.iter().map(|node| Arc::clone(node) as Arc<dyn CacheStore>).collect()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    async fn plant(&self, key: &CacheKey, what: Unusable) {
        let name = self.name(key);
        self.command(&["DEL", &name]).await;
        let put = self.nodes[0].put(key, Bytes::from_static(b"spoilt"), Stamp(1 << 50), LONG, LeaseId(0));
        assert_eq!(put.await.unwrap(), Put::Kept);
        match what {
            Unusable::Version => self.overwrite(key, 3, "9").await,
            Unusable::TooLarge => self.overwrite(key, self.longest() + 20, "x").await,
            Unusable::Corrupt => self.overwrite(key, 21, "X").await,
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

mod on_a_cluster {
    use super::*;
    contracts::cache_store_contract!(Servers::Cluster);
}

/// A copy that looks fresh to the scripts, but for its checksum.
#[tokio::test(flavor = "multi_thread")]
async fn what_looks_fresh_and_is_damaged_is_leased_and_replaced() {
    for servers in [Servers::Single, Servers::Cluster] {
        let world = servers.world();
        let (node, key) = (&world.nodes[0], key("damaged"));
        let Stamp(at) = look(node, &key).await.unwrap().at;
        node.put(&key, Bytes::from_static(b"payload"), Stamp(at), LONG, LeaseId(7)).await.unwrap();
        world.overwrite(&key, 25, "!").await;
        let found = look(node, &key).await.unwrap();
        assert_eq!((found.kept, found.leased), (Err(Unusable::Corrupt), true));
        let put = node.put(&key, Bytes::from_static(b"new"), Stamp(at - 1), LONG, LeaseId(7)).await;
        assert_eq!(put.unwrap(), Put::Kept);
        assert_eq!(look(node, &key).await.unwrap().kept.unwrap().unwrap().payload, "new");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_somebody_left_under_a_key_is_corrupt_and_replaced() {
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
        let found = look(node, &key).await.unwrap();
        assert_eq!((found.kept, found.leased), (Err(Unusable::Corrupt), true), "{leaving:?}");
        let put = node.put(&key, Bytes::from_static(b"copy"), found.at, LONG, LeaseId(7)).await.unwrap();
        assert_eq!(put, Put::Kept, "{leaving:?}");
        assert_eq!(look(node, &key).await.unwrap().kept.unwrap().unwrap().payload, "copy");
        assert_eq!(world.command(&["EXISTS", &lease]).await, "0", "the lease ended with the put");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_future_does_not_stay_when_the_clock_was_set_back() {
    let world = Servers::Single.world();
    let (node, key) = (&world.nodes[0], key("future"));
    let Stamp(now) = look(node, &key).await.unwrap().at;
    let tomorrow = Stamp(now + 24 * 3_600 * 1_000_000);
    node.put(&key, Bytes::from_static(b"tomorrow's"), tomorrow, LONG, LeaseId(7)).await.unwrap();
    let found = look(node, &key).await.unwrap();
    assert_eq!((found.kept, found.leased), (Err(Unusable::Corrupt), true));
    assert!(found.at < tomorrow);
    let put = node.put(&key, Bytes::from_static(b"today's"), found.at, LONG, LeaseId(7)).await.unwrap();
    assert_eq!(put, Put::Kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_that_was_overwritten_counts_as_one_of_now() {
    let world = Servers::Single.world();
    let node = &world.nodes[0];
    let name = format!("{}:{{concerts}}:invalidated", world.settings.prefix);
    for leaving in [&["SET", &name, "nonsense"][..], &["RPUSH", &name, "1"]] {
        world.command(&["DEL", &name]).await;
        world.command(leaving).await;
        for _again in 0..2 {
            let ago = node.invalidated("concerts").await.unwrap().unwrap();
            assert!(ago < Duration::from_secs(60), "{ago:?}");
        }
    }
}
