//! A node's memory of the queue, in pieces, for replay to a Redis that lost it.

use std::fmt::Write as _;

use domain::queue::{Change, Memory, UserId};
use fred::bytes::Bytes;
use fred::types::Value;

use crate::queue_reply::bytes_of;

/// The entries still to be replayed to a Redis that may have lost data.
pub(crate) struct Replay {
    pub(crate) generation: u64,
    memories: Vec<Memory>,
    done: usize,
}

/// The weight of one piece, which takes Redis some five milliseconds.
const PIECE: usize = 1_500;

/// The cost of an entry in Redis, measured in holders.
fn weight(memory: &Memory) -> usize {
    match memory {
        Memory::Holder { .. } => 1,
        Memory::Change(_) => 5,
    }
}

impl Replay {
    pub(crate) fn new(generation: u64, memories: Vec<Memory>) -> Self {
        Self { generation, memories, done: 0 }
    }

    /// Number of replayed entries.
    pub(crate) fn replayed(&self) -> usize {
        self.done
    }

    /// The next piece, as arguments of its script; `None` when all are done. Returns the same piece
    /// until `piece_is_replayed` is called.
    pub(crate) fn next_piece(&self) -> Option<[Value; 5]> {
        let piece = &self.memories[self.done..self.end()];
        (!piece.is_empty()).then(|| arguments(piece))
    }

    pub(crate) fn piece_is_replayed(&mut self) {
        self.done = self.end();
    }

    fn end(&self) -> usize {
        let weights = self.memories[self.done..].iter().scan(0, |sum, memory| {
            *sum += weight(memory);
            Some(*sum)
        });
        self.done + weights.take_while(|weight| *weight <= PIECE).count()
    }
}

/// The arguments in the order `lua/replay.lua` reads them.
fn arguments(memories: &[Memory]) -> [Value; 5] {
    let (mut released, mut abandoned, mut skipped) = (String::new(), String::new(), String::new());
    let (mut sessions, mut holders) = (Vec::new(), Holders::default());
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
            Memory::Holder { number, user } => holders.push(number, user),
            // A node's memory of skipped ranges already excludes the numbers that were found.
            Memory::Change(Change::Found(_)) => {}
        }
    }
    [
        Value::from(released),
        Value::from(abandoned),
        Value::from(skipped),
        Value::Bytes(Bytes::from(sessions)),
        Value::Bytes(Bytes::from(holders.into_bytes())),
    ]
}

/// Holders in ascending order, by the blocks of numbers in which the store keeps them.
#[derive(Default)]
struct Holders {
    done: Vec<u8>,
    block: u64,
    places: Vec<u8>,
    users: Vec<u8>,
}

/// Numbers in one block, as in `lua/begin.lua`.
const BLOCK: u64 = 256;

impl Holders {
    fn push(&mut self, number: u64, user: UserId) {
        let (block, place) = ((number - 1) / BLOCK, (number - 1) % BLOCK);
        if block != self.block {
            self.finish_block();
            self.block = block;
        }
        self.places.push(u8::try_from(place).unwrap_or(u8::MAX));
        self.users.extend(bytes_of(user));
    }

    fn finish_block(&mut self) {
        if let Some(count) = self.places.len().checked_sub(1) {
            self.done.extend(self.block.to_be_bytes());
            self.done.push(u8::try_from(count).unwrap_or(u8::MAX));
            self.done.append(&mut self.places);
            self.done.append(&mut self.users);
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.finish_block();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use domain::queue::{QueueTime, UserId};

    use super::*;

    #[test]
    fn each_piece_repeats_until_it_is_replayed() {
        let memories = (1..=301).map(|n| Memory::Change(Change::Released(n))).collect();
        let mut replay = Replay::new(7, memories);
        let first = replay.next_piece().unwrap();
        assert_eq!(first, replay.next_piece().unwrap(), "not replayed yet");
        replay.piece_is_replayed();
        assert_eq!(replay.next_piece().unwrap()[0], Value::from("301,"));
        replay.piece_is_replayed();
        assert_eq!((replay.next_piece(), replay.replayed()), (None, 301));
    }

    #[test]
    fn a_piece_has_fifteen_hundred_holders() {
        let holder = |number| Memory::Holder { number, user: UserId::new(number).unwrap() };
        let mut replay = Replay::new(7, (1..=1_501).map(holder).collect());
        replay.piece_is_replayed();
        assert_eq!(replay.replayed(), 1_500);
        replay.piece_is_replayed();
        assert_eq!((replay.next_piece(), replay.replayed()), (None, 1_501));
    }

    #[test]
    fn holders_are_packed_by_blocks_of_numbers() {
        let holders = [1, 3, 256, 257, 1_000_000];
        let memories =
            holders.map(|number| Memory::Holder { number, user: UserId::new(number + 7).unwrap() });
        let [.., packed] = arguments(&memories);
        let eight = |n: u64| n.to_be_bytes().to_vec();
        let first = [eight(0), vec![2, 0, 2, 255], eight(8), eight(10), eight(263)].concat();
        let second = [eight(1), vec![0, 0], eight(264)].concat();
        let last = [eight(3_906), vec![0, 63], eight(1_000_007)].concat();
        assert_eq!(packed.as_bytes().unwrap(), [first, second, last].concat());
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
        assert_eq!(
            holders.as_bytes().unwrap(),
            [eight(0).to_vec(), vec![0, 3], eight(9).to_vec()].concat()
        );
    }
}
