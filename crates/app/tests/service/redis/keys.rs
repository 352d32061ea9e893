//! The rollout of a new token key, node by node, while users poll.

use test_support::{Redis, RedisSetup};

use super::node::{KEY as OLD, Node, UNHURRIED, redis};

const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

/// Two nodes of one queue, and the tokens of all users who joined through either.
struct Rollout {
    redis: Redis,
    nodes: [Node; 2],
    tokens: Vec<String>,
    users: u64,
}

impl Rollout {
    fn from(keys: &str) -> Self {
        let redis = redis(RedisSetup::default());
        let nodes = [(); 2].map(|()| Self::node(&redis, keys));
        Self { redis, nodes, tokens: Vec::new(), users: 0 }
    }

    fn node(redis: &Redis, keys: &str) -> Node {
        Node::on(redis, &[&UNHURRIED[..], &[&format!("queue.keys={keys}")]].concat())
    }

    fn restart(&mut self, node: usize, keys: &str) {
        self.nodes[node].stop();
        self.nodes[node] = Self::node(&self.redis, keys);
    }

    /// One more user joins through each node.
    fn join(&mut self) {
        for node in &self.nodes {
            self.users += 1;
            self.tokens.push(node.token_of(self.users));
        }
    }

    /// The statuses of every token, on each node.
    fn statuses(&self) -> [Vec<u16>; 2] {
        let request =
            |node: &Node| self.tokens.iter().map(|token| node.query(token).status).collect();
        [request(&self.nodes[0]), request(&self.nodes[1])]
    }

    /// Restarts the nodes one at a time with these keys. All tokens stay valid on both nodes.
    fn roll(&mut self, keys: &str) {
        for node in 0..2 {
            self.restart(node, keys);
            self.join();
            let statuses = self.statuses();
            assert!(
                statuses.iter().flatten().all(|&status| status == 200),
                "{keys}, {node}: {statuses:?}"
            );
        }
    }
}

#[test]
fn a_key_that_all_verify_before_one_signs_with_it_invalidates_no_token() {
    let mut rollout = Rollout::from(OLD);
    rollout.join();
    rollout.roll(&format!("{OLD},{NEW}"));
    rollout.roll(&format!("{NEW},{OLD}"));
    // From here on no user holds a token of the old key, as if those had expired.
    rollout.tokens.clear();
    rollout.join();
    rollout.roll(NEW);
}

#[test]
fn a_key_that_signs_before_all_verify_it_is_refused_by_those_that_do_not() {
    let mut rollout = Rollout::from(OLD);
    rollout.restart(0, &format!("{NEW},{OLD}"));
    rollout.join();
    assert_eq!(
        rollout.statuses(),
        [[200, 200], [401, 200]],
        "the token of the first node, on the second"
    );
    rollout.restart(1, &format!("{NEW},{OLD}"));
    assert_eq!(rollout.statuses(), [[200, 200], [200, 200]]);
}
