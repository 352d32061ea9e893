#![doc = include_str!("../README.md")]

pub mod breaker;
pub mod cache;

mod sync;
