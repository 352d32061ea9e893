//! The contract suite: three nodes on one queue, and one node that answers for sessions from its
//! memory, each on a single server and on a cluster.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::RedisQueue;
use contracts::queue::{QueueFixture, QueueHarness};
use domain::queue::{AdmissionPolicy, NodeRecord, QueueCounters, QueueId, QueueStore};

use crate::support::{
    CLUSTER, SINGLE, cluster, line_key, new_queue, ready_nodes, settings, single,
};
use crate::tls;

#[derive(Clone, Copy)]
enum Servers {
    Single,
    Tls,
    Cluster,
}

#[derive(Clone, Copy)]
enum Seen {
    FromThreeNodes,
    FromOneThatRemembers,
}

struct Fixture(Servers, Seen);

struct Harness {
    servers: Servers,
    queue: QueueId,
    nodes: Vec<Arc<RedisQueue>>,
}

#[async_trait::async_trait]
impl QueueFixture for Fixture {
    async fn open(&self, policy: AdmissionPolicy) -> Box<dyn QueueHarness> {
        let Self(servers, seen) = *self;
        let queue = new_queue();
        let address = match servers {
            Servers::Single => single(SINGLE.address()),
            Servers::Tls => tls::address(),
            Servers::Cluster => cluster(&CLUSTER.addresses()),
        };
        let mut settings = settings(queue, policy);
        // Nothing is lost here, and each test begins a new queue.
        settings.recovery = Duration::from_millis(50);
        let count = match seen {
            Seen::FromThreeNodes => 3,
            Seen::FromOneThatRemembers => 1,
        };
        if count == 1 {
            settings.remember = Duration::from_secs(60);
        }
        Box::new(Harness { servers, queue, nodes: ready_nodes(count, &address, &settings).await })
    }
}

#[async_trait::async_trait]
impl QueueHarness for Harness {
    fn queue(&self) -> QueueId {
        self.queue
    }

    fn nodes(&self) -> Vec<Arc<dyn QueueStore>> {
        self.nodes.iter().map(|node| Arc::clone(node) as Arc<dyn QueueStore>).collect()
    }

    /// The queue's own time is a stored number: it never decreases, and nodes follow it.
    async fn advance(&self, by: Duration) {
        let mut left = by;
        while !left.is_zero() {
            // Shorter than the timeout of a node.
            let step = left.min(NodeRecord::TIMEOUT / 2);
            left -= step;
            self.skip(step).await;
            for node in &self.nodes {
                // A node learns the time by refreshing.
                node.snapshot(QueueCounters::START).await.unwrap();
            }
        }
    }
}

impl Harness {
    async fn skip(&self, by: Duration) {
        let key = line_key(self.queue);
        let words = ["HINCRBY", &key, "time", &by.as_micros().to_string()].map(str::to_owned);
        let servers = self.servers;
        let moved = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match servers {
                Servers::Single => SINGLE.command(&words),
                Servers::Tls => tls::server().command(&words),
                Servers::Cluster => CLUSTER.nodes()[CLUSTER.primary_of(&key)?].command(&words),
            }
        });
        moved.await.unwrap().unwrap();
    }
}

mod three_nodes_on_one_server {
    use super::*;
    contracts::queue_contract!(Fixture(Servers::Single, Seen::FromThreeNodes));
}

mod three_nodes_over_tls {
    use super::*;
    contracts::queue_contract!(Fixture(Servers::Tls, Seen::FromThreeNodes));
}

mod three_nodes_on_a_cluster {
    use super::*;
    contracts::queue_contract!(Fixture(Servers::Cluster, Seen::FromThreeNodes));
}

mod a_node_with_a_memory_on_one_server {
    use super::*;
    contracts::queue_contract!(Fixture(Servers::Single, Seen::FromOneThatRemembers));
}

mod a_node_with_a_memory_on_a_cluster {
    use super::*;
    contracts::queue_contract!(Fixture(Servers::Cluster, Seen::FromOneThatRemembers));
}
