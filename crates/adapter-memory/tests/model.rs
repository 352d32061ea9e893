//! Runs of the model without faults, on the queue in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::{ManualClock, MemoryQueue};
use async_trait::async_trait;
use contracts::Violation;
use contracts::recovery_model::{
    Action, Answer, StoreCall, Tokens, Trace, TraceHarness, call, policy, quiet_traces, show,
};
use domain::queue::QueueId;
use domain::{Clock, Timestamp};

struct Memory {
    store: MemoryQueue,
    clock: Arc<ManualClock>,
    tokens: Tokens,
}

impl Memory {
    fn of(trace: &Trace) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_000).unwrap()));
        let store =
            MemoryQueue::new(policy(&trace.scene).unwrap(), Arc::clone(&clock) as Arc<dyn Clock>);
        Self { store, clock, tokens: Tokens::default() }
    }

    async fn step(&mut self, what: StoreCall) -> Result<Answer, Violation> {
        self.clock.advance(Duration::from_millis(1));
        call(&self.store, &mut self.tokens, QueueId::parse("model")?, what).await
    }
}

#[async_trait]
impl TraceHarness for Memory {
    async fn act(&mut self, action: Action) -> Result<Answer, Violation> {
        if let Action::Do { call, .. } = action {
            self.step(call).await
        } else if let Action::Refresh(_) = action {
            self.step(StoreCall::Snapshot).await
        } else if let Action::Show { number, .. } = action {
            self.clock.advance(Duration::from_millis(1));
            show(&self.store, number).await
        } else if let Action::Pass(nodes) = action {
            self.clock.advance(Duration::from_secs(1));
            if nodes == 0 { Ok(Answer::Nothing) } else { self.step(StoreCall::Snapshot).await }
        } else {
            Err(Violation::new(format!("{action:?} is impossible on a store in memory")))
        }
    }
}

#[tokio::test]
async fn its_results_equal_those_of_the_model() {
    let (mut let_in, mut steps) = (0, 0);
    for trace in quiet_traces(400) {
        let mut memory = Memory::of(&trace);
        if let Err(violation) = trace.replay(&mut memory).await {
            panic!("{violation}");
        }
        let_in += trace.steps.iter().filter(|(_, answer)| *answer == Answer::LetIn).count();
        steps += trace.steps.len();
    }
    assert!(let_in > 200 && steps > 8_000, "{let_in} of {steps}");
}
