//! What `deploy` has for Kubernetes and systemd. Every supported combination of the Helm chart's
//! values is rendered, and checked against the schemas of Kubernetes and against what the program
//! needs. Values that cannot work are refused.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod autoscaling;
mod combinations;
mod configuration;
mod facts;
mod guides;
mod monitoring;
mod options;
mod refusals;
mod rendering;
mod systemd;
