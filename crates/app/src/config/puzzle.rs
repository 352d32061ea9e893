//! `[queue.puzzle]`: the puzzle before joining.

use domain::queue::{Difficulty, DifficultyRule};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, invalid, require};

/// When joining requires a puzzle.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinPuzzleMode {
    /// Never.
    #[default]
    Off,
    /// For every join.
    On,
    /// While the rate of joins is high.
    Auto,
}

/// The puzzle before joining.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PuzzleSection {
    pub from_rate: u32,
    pub min_bits: u8,
    pub max_bits: u8,
}

impl Default for PuzzleSection {
    /// Measured: docs/adr/0026-a-puzzle-before-joining.md.
    fn default() -> Self {
        Self { from_rate: 500, min_bits: 10, max_bits: 12 }
    }
}

impl PuzzleSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "from_rate",
            meaning: "join attempts per second and node, 1 to 1000000, at which puzzles have `min_bits`; each doubling of the rate adds one bit; below this rate `queue.join_puzzle = \"auto\"` requires no puzzle",
        },
        KeyDoc {
            name: "min_bits",
            meaning: "bits of the easiest puzzle, 1 to 20; each bit doubles the work; must be the same on all nodes, which refuse puzzles with fewer bits",
        },
        KeyDoc { name: "max_bits", meaning: "bits of the hardest puzzle, `min_bits` to 20" },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let rate = (1..=1_000_000).contains(&self.from_rate);
        require(rate, "queue.puzzle.from_rate", "must be from 1 to 1000000")?;
        self.rule(JoinPuzzleMode::On).map(drop)
    }

    /// How the difficulty follows the rate of joins; `None` if puzzles are off.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn rule(&self, mode: JoinPuzzleMode) -> Result<Option<DifficultyRule>, ConfigError> {
        let is_always = match mode {
            JoinPuzzleMode::Off => return Ok(None),
            JoinPuzzleMode::On => true,
            JoinPuzzleMode::Auto => false,
        };
        let lowest = Difficulty::new(self.min_bits)
            .map_err(|_| invalid("queue.puzzle.min_bits", "must be from 1 to 20"))?;
        let range = || invalid("queue.puzzle.max_bits", "must be from queue.puzzle.min_bits to 20");
        let highest = Difficulty::new(self.max_bits).map_err(|_| range())?;
        DifficultyRule::new(is_always, self.from_rate, lowest, highest)
            .map(Some)
            .map_err(|_| range())
    }
}
