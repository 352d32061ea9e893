//! What a node remembers, in pieces that a Redis which lost it takes in one by one.

use std::fmt::Write as _;

use domain::queue::{Change, Memory};
use fred::bytes::Bytes;
use fred::types::Value;

use crate::reply::bytes_of;

/// What a Redis that may have lost something has not been told yet.
pub(crate) struct Replay {
    pub(crate) generation: u64,
    memories: Vec<Memory>,
    done: usize,
}

/// Memories in one piece: it takes Redis some five milliseconds.
const PIECE: usize = 4_000;

impl Replay {
    pub(crate) fn new(generation: u64, memories: Vec<Memory>) -> Self {
        Self { generation, memories, done: 0 }
    }

    /// Memories that were taken in.
    pub(crate) fn replayed(&self) -> usize {
        self.done
    }

    /// The next piece, as arguments of its script; `None` when all is done. The same one until it is said to be replayed.
    pub(crate) fn next_piece(&self) -> Option<[Value; 5]> {
        let piece = &self.memories[self.done..self.end()];
        (!piece.is_empty()).then(|| arguments(piece))
    }

    pub(crate) fn piece_is_replayed(&mut self) {
        self.done = self.end();
    }

    fn end(&self) -> usize {
        (self.done + PIECE).min(self.memories.len())
    }
}

/// As `lua/replay.lua` reads them.
fn arguments(memories: &[Memory]) -> [Value; 5] {
    let (mut released, mut abandoned, mut skipped) = (String::new(), String::new(), String::new());
    let (mut sessions, mut holders) = (Vec::new(), Vec::new());
    for memory in memories {
        // Writing to a string does not fail.
        match *memory {
            Memory::Change(Change::Released(number)) => _ = write!(released, "{number},"),
            Memory::Change(Change::Abandoned(number)) => _ = write!(abandoned, "{number},"),
            Memory::Change(Change::Skipped { from, to }) => _ = write!(skipped, "{from}:{to},"),
            Memory::Change(Change::Claimed { number, user, until }) => {
                sessions.extend(number.to_be_bytes());
                sessions.extend(until.as_micros().to_be_bytes());
                sessions.extend(bytes_of(user));
            }
            Memory::Holder { number, user } => {
                holders.extend(number.to_be_bytes());
                holders.extend(bytes_of(user));
            }
            // A node remembers what is skipped without those who turned up.
            Memory::Change(Change::Found(_)) => {}
        }
    }
    [
        Value::from(released),
        Value::from(abandoned),
        Value::from(skipped),
        Value::Bytes(Bytes::from(sessions)),
        Value::Bytes(Bytes::from(holders)),
    ]
}

#[cfg(test)]
mod tests {
    use domain::queue::{QueueTime, UserId};

    use super::*;

    #[test]
    fn memories_are_told_in_pieces_each_until_it_is_taken_in() {
        let memories = (1..=4_001).map(|n| Memory::Change(Change::Released(n))).collect();
        let mut replay = Replay::new(7, memories);
        let first = replay.next_piece().unwrap();
        assert_eq!(first, replay.next_piece().unwrap(), "not taken in yet");
        replay.piece_is_replayed();
        assert_eq!(replay.next_piece().unwrap()[0], Value::from("4001,"));
        replay.piece_is_replayed();
        assert_eq!((replay.next_piece(), replay.replayed()), (None, 4_001));
    }

    #[test]
    fn each_kind_of_memory_has_an_argument_of_its_own() {
        let user = UserId::new(9).unwrap();
        let until = QueueTime::from_micros(5);
        let memories = [
            Memory::Change(Change::Abandoned(3)),
            Memory::Change(Change::Skipped { from: 10, to: 20 }),
            Memory::Change(Change::Claimed { number: 2, user, until }),
            Memory::Holder { number: 4, user },
        ];
        let [released, abandoned, skipped, sessions, holders] = arguments(&memories);
        assert_eq!([released, abandoned, skipped], ["", "3,", "10:20,"].map(Value::from));
        let eight = |n: u8| [0, 0, 0, 0, 0, 0, 0, n];
        assert_eq!(sessions.as_bytes().unwrap(), [eight(2), eight(5), eight(9)].concat());
        assert_eq!(holders.as_bytes().unwrap(), [eight(4), eight(9)].concat());
    }
}
