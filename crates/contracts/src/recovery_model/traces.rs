//! Runs of the model as plain data, and their replay on a real store.

use async_trait::async_trait;
use std::collections::HashMap;

use domain::queue::{
    AdmissionPolicy, ClaimError, Incarnation, JoinError, NumberBounds, QueueCounters, QueueId,
    QueueNumber, QueueStore, ReleaseError, Shown as TokenShows, Snapshot, TokenClaims, UserId,
};
use domain::{PortError, PortErrorKind, Timestamp};

use super::action::{Action, Answer, INTRUDER, Seen, Shown, StoreCall};
use super::example::examples;
use super::initial_state::{Budgets, NOTHING, Scene};
use super::opening_actions;
use super::random_runs::{Walk, run, walk};
use super::server::{rehearsal, stand_of};
use crate::{RuleResult, Violation, ensure};

/// A run and the model's answer to each step.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The name of the run.
    pub name: String,
    /// The policy, the recovery time and the nodes.
    pub scene: Scene,
    /// The actions with their answers.
    pub steps: Vec<(Action, Answer)>,
}

/// A store on which a trace can be replayed.
#[async_trait]
pub trait TraceHarness: Send {
    /// Performs an action and returns its answer.
    async fn act(&mut self, action: Action) -> Result<Answer, Violation>;
}

impl Trace {
    /// Replays this trace on a store.
    ///
    /// # Errors
    /// A [`Violation`] at the first answer that differs from the model's.
    pub async fn replay(&self, harness: &mut dyn TraceHarness) -> RuleResult {
        for (nth, (action, expected)) in self.steps.iter().enumerate() {
            let answer = harness.act(*action).await.map_err(|violation| violation.to_string());
            ensure(answer.as_ref() == Ok(expected), || {
                let before = &self.steps[..nth];
                let name = &self.name;
                format!(
                    "{name}, {action:?} after {before:?}: got {answer:?}, expected {expected:?}"
                )
            })?;
        }
        Ok(())
    }
}

/// Whether a real store can perform this action: late messages and checkpoints cannot be replayed.
fn is_portable(action: &Action) -> bool {
    match action {
        Action::Do { call, .. } => {
            matches!(call, StoreCall::Join { .. } | StoreCall::Claim(_) | StoreCall::Leave(_))
        }
        Action::Refresh(_)
        | Action::Show { .. }
        | Action::Pass(_)
        | Action::Stop(_)
        | Action::Start(_)
        | Action::Lose
        | Action::Restart
        | Action::Copy
        | Action::Promote => true,
        // Generations come from the server's clock, which a test cannot set back.
        Action::Clock(seconds) => *seconds > 0,
        Action::Send { .. }
        | Action::Execute
        | Action::Deliver
        | Action::Drop
        | Action::Save(_) => false,
    }
}

/// Traces of stores that are lost, copied and restarted, the same ones each time. Each seeded fault
/// has a trace that exposes it, if a real store can perform it; the others are random.
#[must_use]
pub fn traces(by_chance: u64) -> Vec<Trace> {
    let mut all = Vec::new();
    for example in examples() {
        if example.actions.iter().all(is_portable)
            && let Some(steps) = run(example.scene, &example.actions)
        {
            all.push(Trace { name: format!("{:?}", example.fault), scene: example.scene, steps });
        }
    }
    let openings =
        [opening_actions::ready(), opening_actions::joined(2), opening_actions::one_inside(3)];
    for seed in 0..by_chance {
        let slots = if seed % 2 == 0 { 1 } else { 2 };
        let faults = u8::try_from(1 + seed % 3).unwrap_or(1);
        let scene = Scene::of_all(slots, faults);
        let opening = openings[usize::try_from(seed / 2 % 3).unwrap_or(0)].clone();
        all.extend(by_walk(format!("chance {seed}"), scene, &opening, seed));
    }
    all
}

/// Traces of a store with one node and no faults, for stores that have no server.
#[must_use]
pub fn quiet_traces(by_chance: u64) -> Vec<Trace> {
    let budgets = Budgets { joins: 12, claims: 8, leaves: 5, seconds: 12, ..NOTHING };
    let all = (0..by_chance).filter_map(|seed| {
        let max_active = if seed % 2 == 0 { 1 } else { 2 };
        let scene = Scene {
            nodes: 1,
            recovery: std::time::Duration::ZERO,
            budgets,
            ..Scene::of_all(max_active, 0)
        };
        by_walk(format!("quiet {seed}"), scene, &[Action::Refresh(0)], seed)
    });
    all.collect()
}

fn by_walk(name: String, scene: Scene, opening: &[Action], seed: u64) -> Option<Trace> {
    let Walk { steps, .. } = walk(scene, opening, seed, 24, is_portable)?;
    Some(Trace { name, scene, steps })
}

/// The tokens that users of a real store hold.
#[derive(Debug, Default)]
pub struct Tokens(HashMap<Shown, Incarnation>);

impl Tokens {
    /// The contents of this user's token for this number.
    fn shows(&self, shown: Shown) -> Result<TokenShows, Violation> {
        let known = self.0.get(&shown).copied().filter(|_| shown.user != INTRUDER);
        Ok(TokenShows {
            incarnation: known.unwrap_or_else(rehearsal),
            number: QueueNumber::new(shown.number)?,
        })
    }

    fn place(&self, queue: QueueId, shown: Shown) -> Result<TokenClaims, Violation> {
        let TokenShows { incarnation, number } = self.shows(shown)?;
        let user = UserId::new(shown.user)?;
        Ok(TokenClaims { queue, incarnation, number, user, issued_at: Timestamp::UNIX_EPOCH })
    }
}

/// The policy of a trace.
///
/// # Errors
/// A [`Violation`] if the policy is invalid.
pub fn policy(scene: &Scene) -> Result<AdmissionPolicy, Violation> {
    Ok(scene.policy()?)
}

/// Sends a request to a store through its port, and converts the answer to the model's.
///
/// # Errors
/// A [`Violation`] for an error that the model does not contain.
pub async fn call(
    store: &dyn QueueStore,
    tokens: &mut Tokens,
    queue: QueueId,
    call: StoreCall,
) -> Result<Answer, Violation> {
    match call {
        StoreCall::Join { user, shown } => {
            let presented = shown.map(|number| tokens.shows(Shown { user, number })).transpose()?;
            match store.join(UserId::new(user)?, presented, NumberBounds::NONE).await {
                Ok(joined) => {
                    let number = joined.number.get();
                    tokens.0.insert(Shown { user, number }, joined.incarnation);
                    Ok(Answer::Joined {
                        number,
                        rejoined: joined.rejoined,
                        stand: stand_of(joined.place_status),
                    })
                }
                Err(JoinError::ViewBehind) => Ok(Answer::NotReady),
                Err(JoinError::QueueFull) => Ok(Answer::Full),
                Err(JoinError::AboveCeiling) => Ok(Answer::AboveCeiling),
                Err(JoinError::Store(error)) => not_ready(error),
            }
        }
        StoreCall::Claim(shown) => match store.claim(&tokens.place(queue, shown)?).await {
            Ok(_) => Ok(Answer::LetIn),
            Err(ClaimError::NotFound) => Ok(Answer::NotFound),
            Err(ClaimError::NotYet) => Ok(Answer::NotYet),
            Err(ClaimError::Gone) => Ok(Answer::Gone),
            Err(ClaimError::NotHolder) => Ok(Answer::NotHolder),
            Err(ClaimError::Store(error)) => not_ready(error),
        },
        StoreCall::Leave(shown) => match store.release(&tokens.place(queue, shown)?).await {
            Ok(()) => Ok(Answer::Left),
            Err(ReleaseError::NotFound) => Ok(Answer::NotFound),
            Err(ReleaseError::Gone) => Ok(Answer::Gone),
            Err(ReleaseError::NotHolder) => Ok(Answer::NotHolder),
            Err(ReleaseError::Store(error)) => not_ready(error),
        },
        StoreCall::Snapshot => refresh(store, None).await,
        StoreCall::Replay | StoreCall::Settle => {
            Err(Violation::new(format!("{call:?} is not in the port")))
        }
    }
}

/// Refreshes a node after a visitor showed it a token of a rehearsal with this number.
///
/// # Errors
/// A [`Violation`] for an error of the store.
pub async fn show(store: &dyn QueueStore, number: u64) -> Result<Answer, Violation> {
    refresh(store, Some(TokenShows { incarnation: rehearsal(), number: QueueNumber::new(number)? }))
        .await
}

async fn refresh(store: &dyn QueueStore, shown: Option<TokenShows>) -> Result<Answer, Violation> {
    let called = store.call_next(QueueCounters::START, shown).await?;
    let Snapshot { counters, called: open, active, recovers, .. } = called.snapshot;
    let (last, serving) = (counters.last(), counters.serving());
    Ok(Answer::Seen(Seen { last, serving, called: called.count, open, active, recovers }))
}

fn not_ready(error: PortError) -> Result<Answer, Violation> {
    if error.kind() == PortErrorKind::NotReady { Ok(Answer::NotReady) } else { Err(error.into()) }
}
