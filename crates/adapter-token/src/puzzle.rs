//! Join puzzles as signed text, implementing the [`PuzzleIssuer`] port; the README has the table.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::Timestamp;
use domain::queue::{Difficulty, JoinPuzzle, PuzzleIssuer, PuzzleRejected, QueueId, UserId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac_array;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key::{KeyId, TokenKey};
use crate::ring::KeyRing;

const VERSION: u8 = 1;
const TAG_LENGTH: usize = 16;
const HEAD_LENGTH: usize = 1 + KeyId::LENGTH + 4 + 1 + 1;
const USER_LENGTH: usize = 8;
const MAX_LENGTH: usize = HEAD_LENGTH + QueueId::MAX_LENGTH + USER_LENGTH + TAG_LENGTH;
/// Maximum length of a puzzle, in unpadded base64 characters.
const MAX_CHARS: usize = (MAX_LENGTH * 4).div_ceil(3);
/// Size of an attempt's hash in bytes: one block of the hash function, so that an attempt costs no
/// more than its iterations.
const HASH_LENGTH: usize = 32;

/// Signs puzzles of one queue with a key derived from the first token key, and verifies with those
/// derived from all token keys.
#[derive(Clone)]
pub struct PuzzleRing {
    queue: QueueId,
    keys: Vec<PuzzleKey>,
}

#[derive(Clone)]
struct PuzzleKey {
    /// The id of the token key it was derived from.
    id: KeyId,
    mac: Hmac<Sha256>,
}

impl PuzzleKey {
    const PURPOSE: &str = "boxoffice join puzzle key 1\0";

    fn derived_from(key: &TokenKey) -> Self {
        // Zero-padded to a full block, as HMAC does with a shorter key.
        let mut secret = Zeroizing::new([0; 64]);
        secret[..HASH_LENGTH].copy_from_slice(&*key.derived(Self::PURPOSE));
        Self { id: key.id(), mac: Hmac::new((&*secret).into()) }
    }

    fn authenticate(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(message);
        mac
    }
}

impl std::fmt::Debug for PuzzleRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PuzzleRing({}, {} keys)", self.queue, self.keys.len())
    }
}

impl PuzzleRing {
    /// Iterations per attempt. Checking costs this times [`PARTS`](Self::PARTS); solving costs that
    /// times two to the power of the difficulty. `docs/adr/0026-a-puzzle-before-joining.md` has the
    /// measurements.
    pub const ITERATIONS: u32 = 200;
    /// Number of successful attempts required. The time to solve two varies less than for one.
    pub const PARTS: u8 = 2;
    /// How many seconds a puzzle stays valid. A puzzle from a node whose clock is ahead by more
    /// than this is refused too.
    pub const LIFETIME_SECONDS: i64 = 60;

    /// Creates the puzzles of this queue, with keys derived from those of the ring.
    #[must_use]
    pub fn new(ring: &KeyRing, queue: QueueId) -> Self {
        Self { queue, keys: ring.keys().iter().map(PuzzleKey::derived_from).collect() }
    }

    fn message(&self, key: KeyId, user: UserId, difficulty: Difficulty, now: Timestamp) -> Vec<u8> {
        let queue = self.queue.as_str().as_bytes();
        let mut message = Vec::with_capacity(MAX_LENGTH);
        message.push(VERSION);
        message.extend_from_slice(&key.0);
        message.extend_from_slice(&seconds(now).to_be_bytes());
        message.push(difficulty.bits());
        // A queue id has at most 32 bytes.
        message.push(u8::try_from(queue.len()).unwrap_or(u8::MAX));
        message.extend_from_slice(queue);
        message.extend_from_slice(&user.get().to_be_bytes());
        message
    }

    /// Verifies a puzzle and reads it.
    fn open(&self, text: &str) -> Result<Opened, PuzzleRejected> {
        if text.len() > MAX_CHARS {
            return Err(PuzzleRejected::Malformed);
        }
        // Larger than the longest puzzle, because the decoder works on whole groups of characters.
        let mut buffer = [0; MAX_LENGTH + 4];
        // The decoder refuses padding and stray bits, so a puzzle has one encoding.
        let length = BASE64_URL_SAFE_NO_PAD
            .decode_slice(text, &mut buffer)
            .map_err(|_| PuzzleRejected::Malformed)?;
        let split = Split::of(&buffer[..length]).ok_or(PuzzleRejected::Malformed)?;
        let key =
            self.keys.iter().find(|key| key.id == split.key).ok_or(PuzzleRejected::NotOurs)?;
        // Constant-time, whatever the tag.
        let verified = key.authenticate(split.message).verify_truncated_left(split.tag);
        verified.map_err(|_| PuzzleRejected::NotOurs)?;
        if split.queue != self.queue.as_str().as_bytes() {
            return Err(PuzzleRejected::OtherQueue);
        }
        split.opened().ok_or(PuzzleRejected::Malformed)
    }
}

/// The content of a puzzle.
struct Opened {
    issued_at: u32,
    difficulty: Difficulty,
    user: UserId,
}

/// A puzzle split into its parts, not yet verified.
struct Split<'a> {
    key: KeyId,
    message: &'a [u8],
    tag: &'a [u8],
    issued_at: [u8; 4],
    bits: u8,
    queue: &'a [u8],
    user: [u8; USER_LENGTH],
}

impl<'a> Split<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (message, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LENGTH)?)?;
        let (head, rest) = message.split_first_chunk::<HEAD_LENGTH>()?;
        let [version, key @ .., t0, t1, t2, t3, bits, queue_length] = *head;
        let (queue, user) = rest.split_at_checked(usize::from(queue_length))?;
        let user = user.try_into().ok()?;
        let issued_at = [t0, t1, t2, t3];
        (version == VERSION).then_some(Self {
            key: KeyId(key),
            message,
            tag,
            issued_at,
            bits,
            queue,
            user,
        })
    }

    /// Reads the puzzle. Call it only after the tag is verified.
    fn opened(&self) -> Option<Opened> {
        Some(Opened {
            issued_at: u32::from_be_bytes(self.issued_at),
            difficulty: Difficulty::new(self.bits).ok()?,
            user: UserId::new(u64::from_be_bytes(self.user)).ok()?,
        })
    }
}

impl PuzzleIssuer for PuzzleRing {
    fn issue(&self, user: UserId, difficulty: Difficulty, now: Timestamp) -> JoinPuzzle {
        // A ring has at least one key.
        let key = &self.keys[0];
        let mut puzzle = self.message(key.id, user, difficulty, now);
        let tag = key.authenticate(&puzzle).finalize().into_bytes();
        puzzle.extend_from_slice(&tag[..TAG_LENGTH]);
        let text = BASE64_URL_SAFE_NO_PAD.encode(puzzle);
        JoinPuzzle { text, difficulty, iterations: Self::ITERATIONS, parts: Self::PARTS }
    }

    /// Runs the most expensive check last.
    fn check(
        &self,
        solution: &str,
        user: UserId,
        lowest: Difficulty,
        now: Timestamp,
    ) -> Result<(), PuzzleRejected> {
        let (text, counters) = solution.split_once('.').ok_or(PuzzleRejected::Malformed)?;
        let puzzle = self.open(text)?;
        if puzzle.user != user {
            return Err(PuzzleRejected::OtherUser);
        }
        let age = i64::from(seconds(now)) - i64::from(puzzle.issued_at);
        if age.abs() > Self::LIFETIME_SECONDS {
            return Err(PuzzleRejected::Expired);
        }
        if puzzle.difficulty < lowest {
            return Err(PuzzleRejected::TooEasy);
        }
        for counter in ascending(counters)? {
            if !is_solved(text, counter, Self::ITERATIONS, puzzle.difficulty) {
                return Err(PuzzleRejected::Unsolved);
            }
        }
        Ok(())
    }
}

/// Seconds since 1970 in the range of a puzzle, which ends in 2106.
fn seconds(now: Timestamp) -> u32 {
    u32::try_from(now.as_second().max(0)).unwrap_or(u32::MAX)
}

/// Parses the counters of a solution.
fn ascending(text: &str) -> Result<[u64; PuzzleRing::PARTS as usize], PuzzleRejected> {
    let mut counters = [0; PuzzleRing::PARTS as usize];
    let mut words = text.split(',');
    for counter in &mut counters {
        let word = words.next().ok_or(PuzzleRejected::WrongParts)?;
        *counter = plain_number(word).ok_or(PuzzleRejected::Malformed)?;
    }
    let is_ascending = counters.windows(2).all(|pair| pair[0] < pair[1]);
    if words.next().is_some() || !is_ascending {
        Err(PuzzleRejected::WrongParts)
    } else {
        Ok(counters)
    }
}

/// Parses a decimal number in its canonical form.
fn plain_number(text: &str) -> Option<u64> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Whether an attempt succeeds.
fn is_solved(puzzle: &str, counter: u64, iterations: u32, difficulty: Difficulty) -> bool {
    let hash: [u8; HASH_LENGTH] = pbkdf2_hmac_array::<Sha256, HASH_LENGTH>(
        puzzle.as_bytes(),
        &counter.to_be_bytes(),
        iterations,
    );
    let [first, second, third, fourth, ..] = hash;
    u32::from_be_bytes([first, second, third, fourth]).leading_zeros()
        >= u32::from(difficulty.bits())
}

/// Solves a puzzle as a client does: tries counters from 0 until enough of them succeed, and
/// formats the solution. For tests and benchmarks; it takes as long as the puzzle requires.
#[must_use]
pub fn solve_puzzle(puzzle: &JoinPuzzle) -> String {
    let JoinPuzzle { text, difficulty, iterations, parts } = puzzle;
    let solved = (0..).filter(|counter| is_solved(text, *counter, *iterations, *difficulty));
    let counters: Vec<String> =
        solved.take(usize::from(*parts)).map(|counter| counter.to_string()).collect();
    format!("{text}.{}", counters.join(","))
}
