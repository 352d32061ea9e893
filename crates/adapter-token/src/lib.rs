#![doc = include_str!("../README.md")]

mod format;
mod key;
mod puzzle;
mod ring;

pub use key::{InvalidKey, KeyId, TokenKey};
pub use puzzle::{PuzzleRing, solve_puzzle};
pub use ring::{InvalidKeyRing, KeyRing, KeyUse};
