//! Measures the cost of join puzzles: `cargo bench -p adapter-token --bench puzzle [SECONDS]`.
//!
//! Prints the processor time of one attempt, of issuing a puzzle and of checking valid and invalid
//! solutions, the best of many rounds. Then prints, for each difficulty, how long one core takes to
//! solve a puzzle, measured in sequence for SECONDS per difficulty (default 2). Processor time is
//! that of the thread, so that other load on the machine matters little.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark run by hand")]

use std::hint::black_box;
use std::time::Duration;

use adapter_token::{KeyRing, PuzzleRing, TokenKey, solve_puzzle};
use domain::Timestamp;
use domain::queue::{Difficulty, JoinPuzzle, PuzzleIssuer as _, QueueId, UserId};
use rustix::time::{ClockId, clock_gettime};

/// Calls in one round.
const CALLS: u32 = 200;
const ROUNDS: u32 = 200;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(2);
    let keys = KeyRing::new(vec![TokenKey::from_bytes(&[1; 32]).unwrap()]).unwrap();
    let ring = PuzzleRing::new(&keys, QueueId::parse("main").unwrap());
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let user = UserId::new(7).unwrap();
    let bits = |bits| Difficulty::new(bits).unwrap();
    println!("{} parts of {} iterations", PuzzleRing::PARTS, PuzzleRing::ITERATIONS);

    let puzzle = ring.issue(user, bits(8), now);
    // The counter that solves it is the number of failed attempts before it.
    let attempts = JoinPuzzle { difficulty: bits(1), parts: 1, ..puzzle.clone() };
    let solved = solve_puzzle(&attempts);
    let counter: u32 = solved.split_once('.').unwrap().1.parse().unwrap();
    let per_attempt = best(|| {
        black_box(solve_puzzle(black_box(&attempts)));
    }) / (counter + 1);
    println!("one attempt                     {per_attempt:>10.2?}");
    println!(
        "issuing a puzzle                {:>10.2?}",
        best(|| {
            black_box(ring.issue(black_box(user), bits(8), now));
        })
    );
    let solution = solve_puzzle(&puzzle);
    let check = |solution: &str, expected: bool| {
        best(|| assert_eq!(ring.check(black_box(solution), user, bits(8), now).is_ok(), expected))
    };
    println!("checking a good solution        {:>10.2?}", check(&solution, true));
    println!(
        "refusing a wrong one            {:>10.2?}",
        check(&format!("{}.0,1", puzzle.text), false)
    );
    // Flips a bit of the tag.
    let mut altered = solution.into_bytes();
    altered[40] ^= 1;
    let altered = String::from_utf8(altered).unwrap();
    println!("refusing an altered puzzle      {:>10.2?}", check(&altered, false));

    println!("\nbits  expected attempts   mean of a core   median      p95    a second");
    for difficulty in 8..=14 {
        let mut times = Vec::new();
        let began = cpu_time();
        for id in 1.. {
            let puzzle = ring.issue(UserId::new(id).unwrap(), bits(difficulty), now);
            let before = cpu_time();
            black_box(solve_puzzle(&puzzle));
            times.push(cpu_time() - before);
            if cpu_time() - began > Duration::from_secs(seconds) {
                break;
            }
        }
        times.sort_unstable();
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
        let share = |of: usize| times[(times.len() * of / 100).min(times.len() - 1)];
        println!(
            "{difficulty:>4} {:>19} {:>16.1?} {:>8.1?} {:>8.1?} {:>11.1}   ({} puzzles)",
            u32::from(PuzzleRing::PARTS) << difficulty,
            mean,
            share(50),
            share(95),
            1.0 / mean.as_secs_f64(),
            times.len()
        );
    }
}

/// The shortest time of a call, over many rounds.
fn best(call: impl Fn()) -> Duration {
    let round = || {
        let before = cpu_time();
        (0..CALLS).for_each(|_| call());
        (cpu_time() - before) / CALLS
    };
    (0..ROUNDS).map(|_| round()).min().unwrap()
}

/// Processor time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
