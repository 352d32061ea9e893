//! Black-box tests of the puzzle before joining: which joins require one, and which do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    HttpSettings, JoinPuzzles, Lifecycle, PuzzleCounts, RequestTelemetry, Stopper, listen_public,
};
use adapter_memory::{ManualClock, MemoryQueue, MemoryWorld};
use adapter_token::{KeyRing, PuzzleRing, TokenKey, solve_puzzle};
use domain::queue::{
    AdmissionPolicy, Difficulty, DifficultyRule, JoinPuzzle, PolicySpec, PollInterval,
    PuzzleIssuer as _, PuzzleRejected, QueueId, QueueService, UserId,
};
use domain::{Clock, Timestamp};
use serde_json::Value;

use crate::parts::{Parts, keys};

/// Few enough bits to solve a puzzle instantly.
const EASY: u8 = 2;
const HARDER: u8 = 4;
/// Joins per second from which `auto` requires puzzles.
const FROM_RATE: u32 = 100;

/// The service with these puzzles, on a free port; stopped when dropped.
struct Served {
    address: SocketAddr,
    clock: Arc<ManualClock>,
    queue: Arc<QueueService>,
    puzzles: JoinPuzzles,
    agent: ureq::Agent,
    runtime: tokio::runtime::Runtime,
    stopper: Stopper,
}

struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn puzzle(&self) -> JoinPuzzle {
        let number = |name: &str| self.body[name].as_u64().unwrap();
        JoinPuzzle {
            text: self.body["puzzle"].as_str().unwrap().to_owned(),
            difficulty: bits(u8::try_from(number("bits")).unwrap()),
            iterations: u32::try_from(number("iterations")).unwrap(),
            parts: u8::try_from(number("parts")).unwrap(),
        }
    }

    fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

fn bits(bits: u8) -> Difficulty {
    Difficulty::new(bits).unwrap()
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn ring(queue: &str) -> PuzzleRing {
    PuzzleRing::new(&keys(), QueueId::parse(queue).unwrap())
}

impl Served {
    fn always() -> Self {
        Self::with(true, EASY)
    }

    fn with(is_always: bool, lowest: u8) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_700_000_000).unwrap()));
        let rule =
            DifficultyRule::new(is_always, FROM_RATE, bits(lowest), bits(lowest + 3)).unwrap();
        let puzzles =
            JoinPuzzles::new(Arc::new(ring("main")), rule, Arc::clone(&clock) as Arc<dyn Clock>);
        let policy = policy();
        let parts = Parts {
            clock: Arc::clone(&clock) as _,
            store: Arc::new(MemoryQueue::new(policy, Arc::clone(&clock) as _)),
            poll_interval: PollInterval::new(Duration::from_secs(1), Duration::from_secs(1))
                .unwrap(),
            token_ttl: Duration::from_secs(24 * 3_600),
            puzzles: puzzles.clone(),
            ..Parts::of(&MemoryWorld::default(), policy)
        };
        let queue = Arc::new(parts.queue());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            let api = parts.api_of(Arc::clone(&queue));
            listen_public(&http(), api, Lifecycle::default(), RequestTelemetry::default()).unwrap()
        };
        let (address, stopper) = (listener.address(), listener.stopper());
        runtime.spawn(listener.run());
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let served = Self { address, clock, queue, puzzles, agent, runtime, stopper };
        served.refresh_queue();
        served
    }

    fn refresh_queue(&self) {
        self.runtime.block_on(self.queue.tick()).unwrap();
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("http://{}/api/v1{path}", self.address);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(()).unwrap()).unwrap();
        let body = response.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&body).unwrap_or_default();
        Answer { status: response.status().as_u16(), body }
    }

    fn join(&self, user: u64, headers: &[(&str, &str)]) -> Answer {
        self.send("POST", &format!("/user/{user}/queue/token/issue"), headers)
    }

    /// Joins as a client should: requests, solves, requests again.
    fn solve_and_join(&self, user: u64) -> Answer {
        let requested = self.join(user, &[]);
        assert_eq!(requested.code(), (428, "PUZZLE_REQUIRED"));
        self.join(user, &[("joinPuzzle", &solve_puzzle(&requested.puzzle()))])
    }

    fn counts(&self) -> PuzzleCounts {
        self.puzzles.counts()
    }

    fn rejected(&self, reason: PuzzleRejected) -> u64 {
        let all = PuzzleRejected::ALL.into_iter().zip(self.counts().rejected);
        all.into_iter().find_map(|(counted, count)| (counted == reason).then_some(count)).unwrap()
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.block_on(self.stopper.stop(Duration::ZERO));
    }
}

/// A queue that calls only the first number.
fn policy() -> AdmissionPolicy {
    let spec = PolicySpec { batch: 1, every: Duration::from_secs(3_600), ..PolicySpec::default() };
    AdmissionPolicy::new(spec).unwrap()
}

fn http() -> HttpSettings {
    HttpSettings { workers: 1, request_timeout: Duration::from_secs(30), ..HttpSettings::default() }
}

#[test]
fn a_join_gets_a_puzzle_and_with_its_solution_a_place() {
    let served = Served::always();
    let requested = served.join(7, &[("accept-language", "en")]);
    assert_eq!(requested.code(), (428, "PUZZLE_REQUIRED"));
    assert_eq!(requested.body["type"], "urn:boxoffice:problem:PUZZLE_REQUIRED");
    assert_eq!(requested.body["title"], "Precondition Required");
    let members = ["bits", "iterations", "parts"].map(|name| requested.body[name].as_u64());
    assert_eq!(
        members,
        [Some(EASY.into()), Some(PuzzleRing::ITERATIONS.into()), Some(PuzzleRing::PARTS.into())]
    );
    let solution = solve_puzzle(&requested.puzzle());
    let joined = served.join(7, &[("joinPuzzle", &solution)]);
    assert_eq!((joined.status, joined.body["number"].as_u64()), (200, Some(1)));
    let again = served.join(7, &[("joinPuzzle", &solution)]);
    assert_eq!(
        (again.status, again.body["number"].as_u64()),
        (200, Some(1)),
        "it is the same place"
    );
    let stolen = served.join(8, &[("joinPuzzle", &solution)]);
    assert_eq!(stolen.code(), (428, "PUZZLE_OTHER_USER"));
    let counts = served.counts();
    assert_eq!((counts.solved, counts.unanswered, counts.bits), (2, 1, EASY));
    assert_eq!(served.rejected(PuzzleRejected::OtherUser), 1);
}

#[test]
fn a_join_with_the_token_of_a_place_needs_no_puzzle() {
    let served = Served::always();
    // Number 1 is called at once; 2 and 3 wait.
    let tokens = [1, 2, 3].map(|user| {
        let joined = served.solve_and_join(user);
        (
            user,
            joined.body["waitingToken"].as_str().unwrap().to_owned(),
            joined.body["number"].clone(),
        )
    });
    served.refresh_queue();
    for (user, token, number) in &tokens {
        let again = served.join(*user, &[("waitingToken", token)]);
        assert_eq!((again.status, &again.body["number"]), (200, number), "user {user}");
    }
    assert_eq!(served.counts().rejoined, 3);
    let others = served.join(4, &[("waitingToken", &tokens[1].1)]);
    assert_eq!(others.code(), (401, "TOKEN_INVALID"));
    assert_eq!(served.join(4, &[("waitingToken", "forged")]).code(), (401, "TOKEN_INVALID"));
    assert_eq!(served.join(4, &[("waitingToken", "")]).code(), (428, "PUZZLE_REQUIRED"));
    for (user, token, _) in &tokens[..2] {
        assert_eq!(
            served.send("DELETE", "/user/queue/token", &[("waitingToken", token)]).status,
            204
        );
        served.refresh_queue();
        let gone = served.join(*user, &[("waitingToken", token)]);
        assert_eq!(gone.code(), (428, "PUZZLE_REQUIRED"), "user {user} has left that place");
    }
    served.pass(Duration::from_secs(25 * 3_600));
    let old = served.join(3, &[("waitingToken", &tokens[2].1)]);
    assert_eq!(old.code(), (428, "PUZZLE_REQUIRED"), "the token has expired");
}

#[test]
fn a_rejected_solution_gets_the_reason_and_a_new_puzzle() {
    let served = Served::with(true, HARDER);
    let now = served.clock.now();
    let issued = |queue: &str, id, difficulty| ring(queue).issue(user(id), bits(difficulty), now);
    let good = issued("main", 7, HARDER);
    let solution = solve_puzzle(&good);
    let foreign_key = KeyRing::new(vec![TokenKey::from_bytes(&[2; 32]).unwrap()]).unwrap();
    let foreign = PuzzleRing::new(&foreign_key, QueueId::parse("main").unwrap());
    let foreign = foreign.issue(user(7), bits(HARDER), now);
    let old = Timestamp::from_second(now.as_second() - 61).unwrap();
    let cases = [
        ("nonsense".to_owned(), PuzzleRejected::Malformed, "PUZZLE_MALFORMED"),
        (solve_puzzle(&foreign), PuzzleRejected::NotOurs, "PUZZLE_NOT_OURS"),
        (
            solve_puzzle(&issued("main-2", 7, HARDER)),
            PuzzleRejected::OtherQueue,
            "PUZZLE_OTHER_QUEUE",
        ),
        (solve_puzzle(&issued("main", 8, HARDER)), PuzzleRejected::OtherUser, "PUZZLE_OTHER_USER"),
        (
            solve_puzzle(&ring("main").issue(user(7), bits(HARDER), old)),
            PuzzleRejected::Expired,
            "PUZZLE_EXPIRED",
        ),
        (solve_puzzle(&issued("main", 7, HARDER - 1)), PuzzleRejected::TooEasy, "PUZZLE_TOO_EASY"),
        (format!("{solution},9999999"), PuzzleRejected::WrongParts, "PUZZLE_WRONG_PARTS"),
        (unsolved(&good), PuzzleRejected::Unsolved, "PUZZLE_UNSOLVED"),
    ];
    for (shown, reason, code) in &cases {
        let answer = served.join(7, &[("joinPuzzle", shown)]);
        assert_eq!(answer.code(), (428, *code), "{shown}");
        assert_eq!(served.rejected(*reason), 1, "{code}");
        assert_ne!(answer.body["detail"], "", "{code}");
        let joined = served.join(7, &[("joinPuzzle", &solve_puzzle(&answer.puzzle()))]);
        assert_eq!((joined.status, joined.body["number"].as_u64()), (200, Some(1)), "{code}");
    }
    let twice = served.join(7, &[("joinPuzzle", &solution), ("joinPuzzle", &solution)]);
    assert_eq!(twice.code(), (428, "PUZZLE_MALFORMED"));
    let after_empty = served.join(7, &[("joinPuzzle", ""), ("joinPuzzle", &solution)]);
    assert_eq!(after_empty.code(), (428, "PUZZLE_MALFORMED"));
    let empty = served.join(7, &[("joinPuzzle", "")]);
    assert_eq!(empty.code(), (428, "PUZZLE_REQUIRED"));
}

/// Well-formed counters that do not solve the puzzle.
fn unsolved(puzzle: &JoinPuzzle) -> String {
    let all = solve_puzzle(&JoinPuzzle { parts: 20, ..puzzle.clone() });
    let solved: Vec<u64> =
        all.split_once('.').unwrap().1.split(',').map(|counter| counter.parse().unwrap()).collect();
    let wrong: Vec<u64> = (0..).filter(|counter| !solved.contains(counter)).take(2).collect();
    format!("{}.{},{}", puzzle.text, wrong[0], wrong[1])
}

#[test]
fn an_easier_puzzle_of_another_node_is_accepted() {
    let served = Served::with(true, EASY);
    let easier = ring("main").issue(user(7), bits(EASY), served.clock.now());
    // Enough users to drive this node to the maximum difficulty.
    for id in 0..2_000 {
        served.join(1_000 + id, &[]);
    }
    served.pass(Duration::from_millis(100));
    assert_eq!(served.join(8, &[]).puzzle().difficulty, bits(EASY + 3));
    assert_eq!(served.join(7, &[("joinPuzzle", &solve_puzzle(&easier))]).status, 200);
}

#[test]
fn users_who_leave_and_join_with_their_old_token_count_as_newcomers() {
    let served = Served::with(false, EASY);
    let users = 1..=u64::from(FROM_RATE);
    let tokens: Vec<_> = users
        .map(|user| {
            let joined = served.join(user, &[]);
            let token = joined.body["waitingToken"].as_str().unwrap().to_owned();
            let left = served.send("DELETE", "/user/queue/token", &[("waitingToken", &token)]);
            assert_eq!(left.status, 204);
            served.pass(Duration::from_millis(50));
            (user, token)
        })
        .collect();
    served.refresh_queue();
    served.pass(Duration::from_secs(60));
    served.join(1_000, &[]);
    assert_eq!(served.counts().bits, 0);
    for (user, token) in &tokens {
        assert_eq!(served.join(*user, &[("waitingToken", token)]).status, 200);
    }
    served.pass(Duration::from_millis(200));
    assert!(served.counts().rate > 10.0, "{}", served.counts().rate);
}

#[test]
fn one_user_who_joins_repeatedly_does_not_raise_the_difficulty() {
    let served = Served::with(false, EASY);
    for _ in 0..10 {
        for _ in 0..300 {
            assert_eq!(served.join(7, &[]).status, 200);
        }
        served.pass(Duration::from_millis(100));
    }
    let counts = served.counts();
    assert!((0.1..5.0).contains(&counts.rate), "one user a second: {}", counts.rate);
    assert_eq!((counts.bits, served.join(8, &[]).status), (0, 200));
}

#[test]
fn joining_requires_a_puzzle_only_during_a_rush() {
    let served = Served::with(false, EASY);
    let mut next = 0;
    // Lets this many users join within a second, a tenth every 100 ms; returns the last status.
    let mut second = |people: u64| {
        let mut status = 0;
        for _ in 0..10 {
            for _ in 0..people / 10 {
                next += 1;
                status = served.join(next, &[]).status;
            }
            served.pass(Duration::from_millis(100));
        }
        status
    };
    for _ in 0..5 {
        assert_eq!(second(90), 200);
    }
    assert_eq!(served.counts().bits, 0);
    assert_eq!(second(1_000), 428);
    assert!(served.counts().rate > f64::from(FROM_RATE));
    assert_eq!(served.solve_and_join(1_000_000).status, 200);
    // Fetching a puzzle counts as an attempt to join: the rush continues although no join succeeds.
    for _ in 0..10 {
        assert_eq!(second(200), 428);
    }
    let calm = (0..).take_while(|_| second(10) == 428 || served.counts().bits > 0).take(60).count();
    assert!((5..30).contains(&calm), "it took {calm} s until no puzzle was required");
    assert_eq!(second(90), 200);
}

#[test]
fn a_user_who_solves_counts_once_for_the_difficulty() {
    let served = Served::with(false, EASY);
    for id in 1..=500 {
        served.join(id, &[]);
    }
    served.pass(Duration::from_millis(100));
    let requested = served.join(7, &[]);
    assert_eq!(requested.status, 428);
    let solution = solve_puzzle(&requested.puzzle());
    served.pass(Duration::from_millis(100));
    let before = served.counts().rate;
    for _ in 0..500 {
        assert_eq!(served.join(7, &[("joinPuzzle", &solution)]).status, 200);
    }
    served.pass(Duration::from_millis(100));
    assert!(served.counts().rate < before);
}

#[test]
fn without_puzzles_a_solution_is_ignored_and_nothing_is_counted() {
    let served = Served::with(false, EASY);
    assert_eq!(served.join(7, &[("joinPuzzle", "nonsense")]).status, 200);
    assert_eq!(JoinPuzzles::off().counts(), PuzzleCounts::default());
}
