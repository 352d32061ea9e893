//! Checkpoint stores with seeded faults.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contracts::checkpoint::{CheckpointFixture, CheckpointHarness, RULES};
use domain::PortError;
use domain::queue::{Checkpoint, CheckpointStore, QueueCounters, QueueId};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    NothingIsZero,
    HandlesApart,
    CallsForgotten,
    LatestWins,
    HighestLastWins,
    CeilingNotRaised,
    /// The stored checkpoint is read, and written back after a pause.
    SavesRace,
    ReturnsWhatItBrought,
    NamesCut,
    NumbersAreFloats,
    CeilingBelowLast,
    MarksUnbounded,
    LatestLivesWin,
    NewestLivesStay,
}

/// Each fault, and the rule that has to detect it.
const FAULTS: &[(&str, Fault)] = &[
    ("rule_1_loads_nothing_for_a_queue_never_saved", Fault::NothingIsZero),
    ("rule_2_loads_what_was_saved_through_any_handle", Fault::HandlesApart),
    ("rule_2_loads_what_was_saved_through_any_handle", Fault::CallsForgotten),
    ("rule_3_raises_each_mark_in_any_order", Fault::LatestWins),
    ("rule_3_raises_each_mark_in_any_order", Fault::HighestLastWins),
    ("rule_3_raises_each_mark_in_any_order", Fault::CeilingNotRaised),
    ("rule_3_raises_each_mark_under_concurrency", Fault::SavesRace),
    ("rule_4_returns_the_stored_marks", Fault::ReturnsWhatItBrought),
    ("rule_5_keeps_queues_apart", Fault::NamesCut),
    ("rule_6_stores_the_highest_numbers_exactly", Fault::NumbersAreFloats),
    ("rule_7_corrects_invalid_checkpoints", Fault::CeilingBelowLast),
    ("rule_7_corrects_invalid_checkpoints", Fault::MarksUnbounded),
    ("rule_8_stores_the_incarnations_of_a_queue", Fault::LatestLivesWin),
    ("rule_8_keeps_the_oldest_of_too_many_incarnations", Fault::NewestLivesStay),
];

type Rows = Arc<Mutex<HashMap<String, Checkpoint>>>;

struct Broken {
    rows: Rows,
    fault: Fault,
    inside: Arc<AtomicU64>,
}

impl Broken {
    fn key(&self, queue: QueueId) -> String {
        let length =
            if self.fault == Fault::NamesCut { QueueId::MAX_LENGTH - 1 } else { usize::MAX };
        queue.as_str().chars().take(length).collect()
    }

    fn read(&self, queue: QueueId) -> Option<Checkpoint> {
        self.rows.lock().unwrap().get(&self.key(queue)).copied()
    }

    fn write(&self, queue: QueueId, checkpoint: Checkpoint) {
        self.rows.lock().unwrap().insert(self.key(queue), checkpoint);
    }

    /// Pauses until another task arrives here, or long enough that none is coming.
    async fn moment(&self) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10_000 {
            if self.inside.load(Ordering::SeqCst) > 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// The checkpoint that a save stores, given the known one.
    fn merged(&self, known: Option<Checkpoint>, given: Checkpoint) -> Checkpoint {
        let before = known.unwrap_or(given);
        let right = before.raised_to(given);
        match self.fault {
            Fault::LatestWins => Checkpoint::new(given.counters, given.ceiling),
            Fault::HighestLastWins if before.counters.last() > given.counters.last() => before,
            Fault::HighestLastWins => given,
            Fault::CeilingNotRaised => Checkpoint { ceiling: before.ceiling, ..right },
            Fault::CallsForgotten => {
                Checkpoint { counters: QueueCounters::new(right.counters.last(), 0), ..right }
            }
            Fault::NumbersAreFloats => {
                let (last, serving) =
                    (as_float(right.counters.last()), as_float(right.counters.serving()));
                Checkpoint {
                    counters: QueueCounters::new(last, serving),
                    ceiling: as_float(right.ceiling),
                    ..right
                }
            }
            Fault::CeilingBelowLast => Checkpoint {
                ceiling: before.ceiling.max(given.ceiling).min(right.ceiling),
                ..right
            },
            Fault::MarksUnbounded => {
                let counters = before.counters.raised_to(given.counters);
                Checkpoint {
                    counters,
                    ceiling: before.ceiling.max(given.ceiling).max(counters.last()),
                    ..right
                }
            }
            Fault::LatestLivesWin => Checkpoint { incarnations: given.incarnations, ..right },
            Fault::NewestLivesStay if known.is_some() => {
                let incarnations =
                    if is_newer(given, before) { given } else { before }.incarnations;
                Checkpoint { incarnations, ..right }
            }
            _ => right,
        }
    }
}

fn is_newer(one: Checkpoint, other: Checkpoint) -> bool {
    one.incarnations.oldest() > other.incarnations.oldest()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "this is the fault"
)]
fn as_float(mark: u64) -> u64 {
    mark as f32 as u64
}

#[async_trait]
impl CheckpointStore for Broken {
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError> {
        let nothing = (self.fault == Fault::NothingIsZero)
            .then(|| Checkpoint::new(QueueCounters::default(), 0));
        Ok(self.read(queue).or(nothing))
    }

    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        if self.fault == Fault::SavesRace {
            let known = self.read(queue);
            self.moment().await;
            let merged = self.merged(known, checkpoint);
            self.write(queue, merged);
            return Ok(merged);
        }
        let mut rows = self.rows.lock().unwrap();
        let merged = self.merged(rows.get(&self.key(queue)).copied(), checkpoint);
        rows.insert(self.key(queue), merged);
        Ok(if self.fault == Fault::ReturnsWhatItBrought { checkpoint } else { merged })
    }
}

struct Harness {
    fault: Fault,
    rows: Rows,
    inside: Arc<AtomicU64>,
}

impl CheckpointHarness for Harness {
    fn handles(&self) -> Vec<Arc<dyn CheckpointStore>> {
        let rows = || {
            if self.fault == Fault::HandlesApart { Rows::default() } else { Arc::clone(&self.rows) }
        };
        let handle =
            || Broken { rows: rows(), fault: self.fault, inside: Arc::clone(&self.inside) };
        vec![Arc::new(handle()), Arc::new(handle())]
    }
}

struct Mutant(Fault);

#[async_trait]
impl CheckpointFixture for Mutant {
    async fn open(&self) -> Box<dyn CheckpointHarness> {
        Box::new(Harness { fault: self.0, rows: Rows::default(), inside: Arc::default() })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_checkpoint_rule_detects_its_fault() {
    for (name, rule) in RULES {
        let faults: Vec<_> = FAULTS.iter().filter(|(of, _)| of == name).collect();
        assert!(!faults.is_empty(), "no mutant for {name}");
        for (_, fault) in faults {
            assert!(rule(&Mutant(*fault)).await.is_err(), "{name} did not detect {fault:?}");
        }
        if let Err(violation) = rule(&Mutant(Fault::None)).await {
            panic!("{name} fails on a correct store: {violation}");
        }
    }
}
