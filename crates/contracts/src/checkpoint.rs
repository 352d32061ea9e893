//! The rules of [`CheckpointStore`], by the number of the rule in its documentation.

use std::sync::Arc;

use async_trait::async_trait;
use domain::queue::{
    Checkpoint, CheckpointStore, Incarnation, Incarnations, Line, QueueId, QueueNumber,
};
use futures_util::future::{BoxFuture, join_all};

use crate::{Verdict, Violation, ensure, ensure_eq};

/// Opens stores of checkpoints.
#[async_trait]
pub trait CheckpointFixture: Send + Sync {
    /// A fresh, empty memory of its own.
    async fn open(&self) -> Box<dyn CheckpointWorld>;
}

/// A memory, seen from one or more nodes.
pub trait CheckpointWorld: Send + Sync {
    /// The same memory through at least one handle; more where the implementation has nodes.
    fn handles(&self) -> Vec<Arc<dyn CheckpointStore>>;
}

/// The macro behind [`checkpoint_contract`](crate::checkpoint_contract); calls back with the name of every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_checkpoint_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            rule_1_remembers_nothing_of_a_queue_nobody_saved
            rule_2_loads_what_was_saved_through_any_handle
            rule_3_raises_each_mark_whatever_the_order
            rule_3_raises_each_mark_whatever_races
            rule_4_returns_what_is_remembered_now
            rule_5_keeps_queues_apart
            rule_6_remembers_the_highest_numbers_to_the_last_digit
            rule_7_remembers_what_can_be_of_what_cannot
            rule_8_remembers_the_lives_of_a_queue
            rule_8_remembers_the_oldest_lives_of_too_many
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! checkpoint_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[$crate::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "contracts::tokio")]
        async fn $rule() {
            if let Err(violation) = $crate::checkpoint::$rule(&$fixture).await {
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
pub type CheckpointRule = for<'a> fn(&'a dyn CheckpointFixture) -> BoxFuture<'a, Verdict>;

#[doc(hidden)]
#[macro_export]
macro_rules! checkpoint_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, CheckpointRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_checkpoint_rule! { checkpoint_table!() }

/// A memory under test.
struct Memory {
    handles: Vec<Arc<dyn CheckpointStore>>,
    /// The memory may go when its world does.
    _world: Box<dyn CheckpointWorld>,
}

impl Memory {
    async fn open(fixture: &dyn CheckpointFixture) -> Result<Self, Violation> {
        let world = fixture.open().await;
        let handles = world.handles();
        ensure(!handles.is_empty(), || "a world has at least one handle".to_owned())?;
        Ok(Self { handles, _world: world })
    }

    /// Spreads work over the handles.
    fn handle(&self, n: usize) -> Arc<dyn CheckpointStore> {
        Arc::clone(&self.handles[n % self.handles.len()])
    }

    /// Saves through the first handle.
    async fn save(&self, queue: &str, checkpoint: Checkpoint) -> Result<Checkpoint, Violation> {
        Ok(self.handle(0).save(QueueId::parse(queue)?, checkpoint).await?)
    }

    /// Every handle loads the same, and it is this.
    async fn ensure_remembered(
        &self,
        queue: &str,
        expected: Option<Checkpoint>,
        what: &str,
    ) -> Verdict {
        for handle in &self.handles {
            ensure_eq(handle.load(QueueId::parse(queue)?).await?, expected, what)?;
        }
        Ok(())
    }
}

/// A checkpoint with these marks, unchecked.
fn marks(last: u64, serving: u64, ceiling: u64) -> Checkpoint {
    Checkpoint { line: Line::new(last, serving), ceiling, incarnations: Incarnations::default() }
}

/// Whoever loads a queue that nobody saved is told that there is nothing, and not a line at zero, which can be saved.
///
/// # Errors
/// The violation, if any.
pub async fn rule_1_remembers_nothing_of_a_queue_nobody_saved(
    fixture: &dyn CheckpointFixture,
) -> Verdict {
    let memory = Memory::open(fixture).await?;
    memory.ensure_remembered("main", None, "a queue nobody saved").await?;
    memory.save("main", marks(0, 0, 0)).await?;
    memory
        .ensure_remembered("main", Some(marks(0, 0, 0)), "a queue saved before anybody joined")
        .await
}

/// All three marks come back, whichever handle saved and whichever loads.
///
/// # Errors
/// The violation, if any.
pub async fn rule_2_loads_what_was_saved_through_any_handle(
    fixture: &dyn CheckpointFixture,
) -> Verdict {
    let memory = Memory::open(fixture).await?;
    for (n, handle) in memory.handles.iter().enumerate() {
        let queue = format!("saved-by-{n}");
        handle.save(QueueId::parse(&queue)?, marks(70, 30, 100)).await?;
        memory.ensure_remembered(&queue, Some(marks(70, 30, 100)), "what was saved").await?;
    }
    Ok(())
}

/// Every order of the same saves leaves the same behind: the highest of each mark, though no save had all of them.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_raises_each_mark_whatever_the_order(
    fixture: &dyn CheckpointFixture,
) -> Verdict {
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

/// Of many saves at once none is lost, and none takes back what another one has been told is remembered.
///
/// # Errors
/// The violation, if any.
pub async fn rule_3_raises_each_mark_whatever_races(fixture: &dyn CheckpointFixture) -> Verdict {
    const SAVERS: u64 = 40;
    let memory = Memory::open(fixture).await?;
    for round in 0..5 {
        let queue = QueueId::parse(&format!("race-{round}"))?;
        let savers = (0..SAVERS).zip(0..).map(|(n, node)| {
            let handle = memory.handle(node);
            // The further one has come with giving, the less with calling, so that no save makes up for another.
            let own = marks(100 + n, 100 - n, 200 + (n * 7) % SAVERS);
            tokio::spawn(async move { save_and_look_again(handle.as_ref(), queue, own).await })
        });
        for saver in join_all(savers).await {
            saver??;
        }
        let highest = marks(100 + SAVERS - 1, 100, 200 + SAVERS - 1);
        memory
            .ensure_remembered(queue.as_str(), Some(highest), "what all saves leave behind")
            .await?;
    }
    Ok(())
}

async fn save_and_look_again(
    store: &dyn CheckpointStore,
    queue: QueueId,
    own: Checkpoint,
) -> Verdict {
    let told = store.save(queue, own).await?;
    ensure_eq(told.raised_to(own), told, "what a save returned, with what it brought")?;
    let Some(loaded) = store.load(queue).await? else {
        return Err(Violation::new("nothing is remembered after a save"));
    };
    ensure_eq(
        loaded.raised_to(told),
        loaded,
        "what is remembered, with what a save returned before",
    )
}

/// A save is told of whatever was higher already, mark by mark.
///
/// # Errors
/// The violation, if any.
pub async fn rule_4_returns_what_is_remembered_now(fixture: &dyn CheckpointFixture) -> Verdict {
    let memory = Memory::open(fixture).await?;
    let saves = [
        (marks(90, 10, 100), marks(90, 10, 100)),
        (marks(60, 50, 80), marks(90, 50, 100)),
        (marks(20, 20, 300), marks(90, 50, 300)),
        (marks(0, 0, 0), marks(90, 50, 300)),
    ];
    for (n, (saved, expected)) in saves.into_iter().enumerate() {
        let told = memory.handle(n).save(QueueId::parse("main")?, saved).await?;
        ensure_eq(told, expected, "what a save returned")?;
    }
    Ok(())
}

/// A save of one queue touches no other, however alike their names are.
///
/// # Errors
/// The violation, if any.
pub async fn rule_5_keeps_queues_apart(fixture: &dyn CheckpointFixture) -> Verdict {
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

/// The highest marks there are, and their neighbours, which a number of single precision would not tell apart.
///
/// # Errors
/// The violation, if any.
pub async fn rule_6_remembers_the_highest_numbers_to_the_last_digit(
    fixture: &dyn CheckpointFixture,
) -> Verdict {
    let memory = Memory::open(fixture).await?;
    let max = QueueNumber::MAX;
    for saved in
        [marks(max - 3, max - 4, max - 2), marks(max - 1, max - 2, max), marks(max, max, max)]
    {
        ensure_eq(memory.save("main", saved).await?, saved, "what a save of high marks returned")?;
        memory.ensure_remembered("main", Some(saved), "high marks").await?;
    }
    Ok(())
}

/// A ceiling below the last number is raised to it, whether the queue is new or not; no mark exceeds the highest number.
///
/// # Errors
/// The violation, if any.
pub async fn rule_7_remembers_what_can_be_of_what_cannot(
    fixture: &dyn CheckpointFixture,
) -> Verdict {
    let memory = Memory::open(fixture).await?;
    let max = QueueNumber::MAX;
    let saves = [
        (marks(50, 10, 20), marks(50, 10, 50)),
        (marks(70, 10, 0), marks(70, 10, 70)),
        (marks(70, 10, u64::MAX), marks(70, 10, max)),
        (marks(max + 1, u64::MAX, 0), marks(max, max, max)),
    ];
    for (saved, expected) in saves {
        ensure_eq(memory.save("main", saved).await?, expected, "what a save returned")?;
        memory
            .ensure_remembered(
                "main",
                Some(expected),
                "what is left of a checkpoint that cannot be",
            )
            .await?;
    }
    Ok(())
}

fn lives(values: &[u64]) -> Result<Incarnations, Violation> {
    let lives: Result<Vec<_>, _> = values.iter().map(|value| Incarnation::new(*value)).collect();
    Ok(Incarnations::of(lives?))
}

/// Each save adds the lives it brings, whatever its marks are, and none is lost.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_remembers_the_lives_of_a_queue(fixture: &dyn CheckpointFixture) -> Verdict {
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
        let told = memory.handle(usize::try_from(nth)?).save(queue, own).await?;
        ensure_eq(told, expected, "what a save returned")?;
        memory
            .ensure_remembered("main", Some(expected), "the lives that all saves brought")
            .await?;
    }
    Ok(())
}

/// Of more lives than a set has the oldest stay, in whatever order they come.
///
/// # Errors
/// The violation, if any.
pub async fn rule_8_remembers_the_oldest_lives_of_too_many(
    fixture: &dyn CheckpointFixture,
) -> Verdict {
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
