#![doc = include_str!("../README.md")]

mod format;
mod key;
mod ring;

pub use key::{InvalidKey, KeyId, TokenKey};
pub use ring::{InvalidKeyRing, KeyRing, KeyUse};
