//! Black-box tests of the whole service. One test program, so that it links only once.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod builder;
mod cache;
mod callers;
mod compose;
mod concerts;
mod configuration;
mod connections;
mod cors;
mod degraded;
mod docs;
mod errors;
mod file_descriptors;
mod health;
mod import;
mod openapi;
mod operations;
mod overload;
mod pooler;
mod postgres;
mod program;
mod puzzle;
mod queue;
mod readme;
mod redis;
mod secret_files;
mod spelling;
mod support;
mod telemetry;
mod waiting;
