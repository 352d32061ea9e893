//! The rules of [`CheckpointStore`], numbered as in its documentation.

use std::sync::Arc;

use async_trait::async_trait;
use domain::queue::{
    Checkpoint, CheckpointStore, Incarnation, Incarnations, QueueCounters, QueueId, QueueNumber,
};
use futures_util::future::{BoxFuture, join_all};

use crate::{RuleResult, Violation, ensure, ensure_eq};

/// Opens checkpoint stores.
#[async_trait]
pub trait CheckpointFixture: Send + Sync {
    /// Opens a new, empty store.
    async fn open(&self) -> Box<dyn CheckpointHarness>;
}

/// A store, used from one or more nodes.
pub trait CheckpointHarness: Send + Sync {
    /// At least one handle to the same store; one per node if the implementation has nodes.
    fn handles(&self) -> Vec<Arc<dyn CheckpointStore>>;
}

/// The macro behind [`checkpoint_contract`](crate::checkpoint_contract); calls back with the name
/// of every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_checkpoint_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            rule_1_loads_nothing_for_a_queue_never_saved
            rule_2_loads_what_was_saved_through_any_handle
            rule_3_raises_each_mark_in_any_order
            rule_3_raises_each_mark_under_concurrency
            rule_4_returns_the_stored_marks
            rule_5_keeps_queues_apart
            rule_6_stores_the_highest_numbers_exactly
            rule_7_corrects_invalid_checkpoints
            rule_8_stores_the_incarnations_of_a_queue
            rule_8_keeps_the_oldest_of_too_many_incarnations
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! checkpoint_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            if let Err(violation) = $crate::run_rule($crate::checkpoint::$rule(&$fixture)) {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`CheckpointStore`], on a [`CheckpointFixture`].
#[macro_export]
macro_rules! checkpoint_contract {
    ($fixture:expr) => {
        $crate::for_each_checkpoint_rule! { checkpoint_tests!($fixture) }
    };
}

/// A rule of this port.
pub type CheckpointRule = for<'a> fn(&'a dyn CheckpointFixture) -> BoxFuture<'a, RuleResult>;

#[doc(hidden)]
#[macro_export]
macro_rules! checkpoint_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, CheckpointRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_checkpoint_rule! { checkpoint_table!() }

/// A store under test.
struct Memory {
    handles: Vec<Arc<dyn CheckpointStore>>,
    /// Dropping the world may remove the store.
    _world: Box<dyn CheckpointHarness>,
}

impl Memory {
    async fn open(fixture: &dyn CheckpointFixture) -> Result<Self, Violation> {
        let world = fixture.open().await;
        let handles = world.handles();
        ensure(!handles.is_empty(), || "a world without a handle".to_owned())?;
        Ok(Self { handles, _world: world })
    }

    /// A handle, chosen so that work is spread over all of them.
    fn handle(&self, n: usize) -> Arc<dyn CheckpointStore> {
        Arc::clone(&self.handles[n % self.handles.len()])
    }

    /// Saves through the first handle.
    async fn save(&self, queue: &str, checkpoint: Checkpoint) -> Result<Checkpoint, Violation> {
        Ok(self.handle(0).save(QueueId::parse(queue)?, checkpoint).await?)
    }

    /// Checks that every handle loads this checkpoint.
    async fn ensure_remembered(
        &self,
        queue: &str,
        expected: Option<Checkpoint>,
        what: &str,
    ) -> RuleResult {
        for handle in &self.handles {
            ensure_eq(handle.load(QueueId::parse(queue)?).await?, expected, what)?;
        }
        Ok(())
    }
}

/// A checkpoint with these marks, not validated.
fn marks(last: u64, serving: u64, ceiling: u64) -> Checkpoint {
    Checkpoint {
        counters: QueueCounters::new(last, serving),
        ceiling,
        incarnations: Incarnations::default(),
    }
}

/// Loading a queue that was never saved returns `None`, not zeros: a checkpoint of zeros can be
/// saved.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_loads_nothing_for_a_queue_never_saved(
    fixture: &dyn CheckpointFixture,
) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    memory.ensure_remembered("main", None, "a queue that was never saved").await?;
    memory.save("main", marks(0, 0, 0)).await?;
    memory.ensure_remembered("main", Some(marks(0, 0, 0)), "a queue saved before any join").await
}

/// A load returns all three marks, whichever handle saved and whichever loads.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_loads_what_was_saved_through_any_handle(
    fixture: &dyn CheckpointFixture,
) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    for (n, handle) in memory.handles.iter().enumerate() {
        let queue = format!("saved-by-{n}");
        handle.save(QueueId::parse(&queue)?, marks(70, 30, 100)).await?;
        memory.ensure_remembered(&queue, Some(marks(70, 30, 100)), "the saved marks").await?;
    }
    Ok(())
}

/// Saves in any order leave the highest value of each mark, even if no single save had all of them.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_raises_each_mark_in_any_order(fixture: &dyn CheckpointFixture) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    let saves = [marks(90, 10, 100), marks(60, 50, 120), marks(40, 30, 200)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let [first, second, third] = order;
        let queue = format!("order-{first}{second}{third}");
        for n in order {
            memory.handle(n).save(QueueId::parse(&queue)?, saves[n]).await?;
        }
        memory
            .ensure_remembered(&queue, Some(marks(90, 50, 200)), "the highest of each mark")
            .await?;
    }
    Ok(())
}

/// Concurrent saves are not lost, and no save lowers a mark that another save returned.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_raises_each_mark_under_concurrency(
    fixture: &dyn CheckpointFixture,
) -> RuleResult {
    const SAVERS: u64 = 40;
    let memory = Memory::open(fixture).await?;
    for round in 0..5 {
        let queue = QueueId::parse(&format!("race-{round}"))?;
        let savers = (0..SAVERS).zip(0..).map(|(n, node)| {
            let handle = memory.handle(node);
            // A save with a higher last number has a lower serving number, so no save covers
            // another.
            let own = marks(100 + n, 100 - n, 200 + (n * 7) % SAVERS);
            tokio::spawn(async move { save_and_load(handle.as_ref(), queue, own).await })
        });
        for saver in join_all(savers).await {
            saver??;
        }
        let highest = marks(100 + SAVERS - 1, 100, 200 + SAVERS - 1);
        memory
            .ensure_remembered(queue.as_str(), Some(highest), "the marks after all saves")
            .await?;
    }
    Ok(())
}

async fn save_and_load(store: &dyn CheckpointStore, queue: QueueId, own: Checkpoint) -> RuleResult {
    let saved = store.save(queue, own).await?;
    ensure_eq(saved.raised_to(own), saved, "a save's result, compared with its own marks")?;
    let Some(loaded) = store.load(queue).await? else {
        return Err(Violation::new("no checkpoint after a save"));
    };
    ensure_eq(
        loaded.raised_to(saved),
        loaded,
        "the stored marks, compared with an earlier save's result",
    )
}

/// A save returns the stored marks, including those that were already higher.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_returns_the_stored_marks(fixture: &dyn CheckpointFixture) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    let saves = [
        (marks(90, 10, 100), marks(90, 10, 100)),
        (marks(60, 50, 80), marks(90, 50, 100)),
        (marks(20, 20, 300), marks(90, 50, 300)),
        (marks(0, 0, 0), marks(90, 50, 300)),
    ];
    for (n, (saved, expected)) in saves.into_iter().enumerate() {
        let stored = memory.handle(n).save(QueueId::parse("main")?, saved).await?;
        ensure_eq(stored, expected, "the result of a save")?;
    }
    Ok(())
}

/// A save affects only its own queue, however similar the names are.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_queues_apart(fixture: &dyn CheckpointFixture) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    let long = "q".repeat(QueueId::MAX_LENGTH - 1);
    let names = [&format!("{long}a"), &format!("{long}b"), &long, "a", "-a", "a-", "0"];
    for (name, n) in names.into_iter().zip(1..) {
        memory.ensure_remembered(name, None, "a queue before it was saved").await?;
        memory.save(name, marks(10 * n, n, 100 * n)).await?;
    }
    for (name, n) in names.into_iter().zip(1..) {
        let own = Some(marks(10 * n, n, 100 * n));
        memory.ensure_remembered(name, own, "a queue after others were saved").await?;
    }
    Ok(())
}

/// Covers the highest marks and their neighbours, which single-precision numbers cannot
/// distinguish.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_stores_the_highest_numbers_exactly(
    fixture: &dyn CheckpointFixture,
) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    let max = QueueNumber::MAX;
    for saved in
        [marks(max - 3, max - 4, max - 2), marks(max - 1, max - 2, max), marks(max, max, max)]
    {
        ensure_eq(memory.save("main", saved).await?, saved, "the result of saving high marks")?;
        memory.ensure_remembered("main", Some(saved), "high marks").await?;
    }
    Ok(())
}

/// A ceiling below the last number is raised to it, whether the queue is new or not. No mark
/// exceeds the highest number.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_corrects_invalid_checkpoints(fixture: &dyn CheckpointFixture) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    let max = QueueNumber::MAX;
    let saves = [
        (marks(50, 10, 20), marks(50, 10, 50)),
        (marks(70, 10, 0), marks(70, 10, 70)),
        (marks(70, 10, u64::MAX), marks(70, 10, max)),
        (marks(max + 1, u64::MAX, 0), marks(max, max, max)),
    ];
    for (saved, expected) in saves {
        ensure_eq(memory.save("main", saved).await?, expected, "the result of a save")?;
        memory
            .ensure_remembered("main", Some(expected), "an invalid checkpoint, corrected")
            .await?;
    }
    Ok(())
}

fn lives(values: &[u64]) -> Result<Incarnations, Violation> {
    let lives: Result<Vec<_>, _> = values.iter().map(|value| Incarnation::new(*value)).collect();
    Ok(Incarnations::of(lives?))
}

/// Each save adds its incarnations, whatever its marks are, and none is lost.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_stores_the_incarnations_of_a_queue(
    fixture: &dyn CheckpointFixture,
) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    let highest = Incarnation::MAX;
    let saves: [(&[u64], &[u64]); 4] = [
        (&[1_700_000_000_000_321], &[1_700_000_000_000_321]),
        (&[], &[1_700_000_000_000_321]),
        (&[highest, highest - 1], &[1_700_000_000_000_321, highest - 1, highest]),
        (&[1_700_000_000_000_321, 1], &[1, 1_700_000_000_000_321, highest - 1, highest]),
    ];
    for (nth, (brought, expected)) in (0..).zip(saves) {
        let queue = QueueId::parse("main")?;
        let last = 90 - nth * 10;
        let own = marks(last, 0, last).with_incarnations(lives(brought)?);
        let expected = marks(90, 0, 90).with_incarnations(lives(expected)?);
        let stored = memory.handle(usize::try_from(nth)?).save(queue, own).await?;
        ensure_eq(stored, expected, "the result of a save")?;
        memory.ensure_remembered("main", Some(expected), "the incarnations of all saves").await?;
    }
    Ok(())
}

/// If there are more incarnations than a set can hold, the oldest stay, in whatever order they
/// arrive.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_keeps_the_oldest_of_too_many_incarnations(
    fixture: &dyn CheckpointFixture,
) -> RuleResult {
    let memory = Memory::open(fixture).await?;
    for (queue, order) in
        [("rising", [[1, 2], [3, 4], [5, 6]]), ("falling", [[6, 5], [4, 3], [2, 1]])]
    {
        for brought in order {
            memory.save(queue, marks(0, 0, 0).with_incarnations(lives(&brought)?)).await?;
        }
        let oldest = marks(0, 0, 0).with_incarnations(lives(&[1, 2, 3, 4])?);
        memory.ensure_remembered(queue, Some(oldest), queue).await?;
    }
    Ok(())
}
