//! Runs traces of the recovery model on Redis and its nodes, which must answer as the model does:
//! losses, restarts, stale copies that take over, stepped clocks, nodes that stop and start.

use std::time::{Duration, Instant};

use adapter_redis::{RedisAddress, RedisQueue, RedisQueueSettings};
use async_trait::async_trait;
use contracts::Violation;
use contracts::recovery_model::{
    Action, Answer, StoreCall, Tokens, Trace, TraceHarness, call, policy, show, traces,
};
use domain::queue::QueueId;
use test_support::Redis;

use super::{blocking, server};
use crate::support::{new_queue, settings, single};

const SECOND: i64 = 1_000_000;

/// One queue, and the nodes that share it.
struct Model<'redis> {
    redis: &'redis Redis,
    address: RedisAddress,
    settings: RedisQueueSettings,
    nodes: Vec<Option<RedisQueue>>,
    tokens: Tokens,
    /// Restarts so far.
    processes: u64,
    /// The clock of the model's server, and its value at the last step of the store and of its
    /// copy, in microseconds.
    clock: i64,
    last: i64,
    copied: i64,
}

impl<'redis> Model<'redis> {
    fn of(redis: &'redis Redis, trace: &Trace) -> Self {
        let settings = RedisQueueSettings {
            recovery: trace.scene.recovery,
            ..settings(new_queue(), policy(&trace.scene).unwrap())
        };
        let address = single(redis.address());
        let mut model = Self {
            redis,
            address,
            settings,
            nodes: (0..trace.scene.nodes).map(|_| None).collect(),
            tokens: Tokens::default(),
            processes: 0,
            clock: 0,
            last: 0,
            copied: 0,
        };
        (0..trace.scene.nodes).for_each(|node| model.start(node));
        model
    }

    fn queue(&self) -> QueueId {
        self.settings.queue
    }

    fn start(&mut self, node: usize) {
        self.nodes[node] = Some(RedisQueue::open(self.address.clone(), self.settings.clone()));
    }

    /// Runs a script over all keys of the queue; its first key is the queue's hash.
    fn script(&self, body: &str, argument: &str) {
        let prefix = format!("boxoffice:{{{}}}:", self.queue());
        let hash = format!("{prefix}line");
        blocking(|| self.redis.command(&["EVAL", body, "2", &hash, &prefix, argument]));
    }

    /// Sets the clock so that the next step reads the model's time, however long the test takes.
    fn set_clock(&mut self) {
        self.clock += SECOND / 1_000;
        let passed = (self.clock - self.last).to_string();
        self.last = self.clock;
        self.script(
            "if redis.call('EXISTS', KEYS[1]) == 1 then
               local now = redis.call('TIME')
               local clock = now[1] * 1000000 + now[2] - ARGV[1]
               redis.call('HSET', KEYS[1], 'clock', string.format('%d', clock))
             end",
            &passed,
        );
    }

    /// Makes another process answer from now on.
    fn restart(&mut self) {
        self.processes += 1;
        self.script(
            "if redis.call('EXISTS', KEYS[1]) == 1 then
               redis.call('HSET', KEYS[1], 'process', ARGV[1])
             end",
            &format!("process {}", self.processes),
        );
    }

    async fn call(&mut self, node: usize, what: StoreCall) -> Result<Answer, Violation> {
        self.set_clock();
        let store = self.nodes[node].as_ref().ok_or_else(|| Violation::new("the node is down"))?;
        call(store, &mut self.tokens, self.settings.queue, what).await
    }
}

#[async_trait]
impl TraceHarness for Model<'_> {
    async fn act(&mut self, action: Action) -> Result<Answer, Violation> {
        let mut answer = Answer::Nothing;
        match action {
            Action::Do { node, call } => answer = self.call(node, call).await?,
            Action::Refresh(node) => answer = self.call(node, StoreCall::Snapshot).await?,
            Action::Show { node, number } => {
                self.set_clock();
                let store =
                    self.nodes[node].as_ref().ok_or_else(|| Violation::new("the node is down"))?;
                answer = show(store, number).await?;
            }
            Action::Pass(nodes) => {
                self.clock += SECOND;
                for node in 0..self.nodes.len() {
                    if nodes >> node & 1 == 1 && self.nodes[node].is_some() {
                        answer = self.call(node, StoreCall::Snapshot).await?;
                    }
                }
            }
            Action::Stop(node) => self.nodes[node] = None,
            Action::Start(node) => self.start(node),
            Action::Lose => self.script(
                "for _, key in ipairs(redis.call('KEYS', KEYS[2] .. '*')) do
                   redis.call('DEL', key)
                 end",
                "",
            ),
            Action::Restart => self.restart(),
            Action::Copy => {
                self.copied = self.last;
                self.script(
                    "for _, key in ipairs(redis.call('KEYS', KEYS[2] .. '*')) do
                       redis.call('COPY', key, 'copy:' .. key, 'REPLACE')
                     end",
                    "",
                );
            }
            Action::Promote => {
                self.last = self.copied;
                self.script(
                    "for _, key in ipairs(redis.call('KEYS', KEYS[2] .. '*')) do
                       redis.call('DEL', key)
                     end
                     for _, key in ipairs(redis.call('KEYS', 'copy:' .. KEYS[2] .. '*')) do
                       redis.call('RENAME', key, string.sub(key, 6))
                     end",
                    "",
                );
                self.restart();
            }
            Action::Clock(seconds) => self.clock += seconds * SECOND,
            Action::Send { .. }
            | Action::Execute
            | Action::Deliver
            | Action::Drop
            | Action::Save(_) => {
                return Err(Violation::new(format!("{action:?} cannot be done to a real store")));
            }
        }
        Ok(answer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_answers_as_the_model_does() {
    let redis = server();
    let begun = Instant::now();
    let all = traces(60);
    let mut differ = Vec::new();
    for trace in &all {
        // Real time passes within a step on a busy machine, unlike in the model. A real difference
        // occurs in every attempt.
        let mut replayed = Ok(());
        for _ in 0..3 {
            replayed = trace.replay(&mut Model::of(&redis, trace)).await;
            if replayed.is_ok() {
                break;
            }
        }
        if let Err(violation) = replayed {
            differ.push(violation.to_string());
        }
    }
    println!("{} traces in {:?}", all.len(), begun.elapsed());
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), all.len(), differ.join("\n"));
    assert!(all.len() >= 70, "{}", all.len());
    assert!(begun.elapsed() < Duration::from_secs(600));
}
