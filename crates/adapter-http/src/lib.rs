#![doc = include_str!("../README.md")]

mod age_header;
mod api;
mod client_network;
mod concert;
mod connections;
mod constant_answer;
mod cors;
mod dependency_health;
mod dispatch;
mod distinct_users;
mod documentation;
mod handlers;
mod language;
mod lifecycle;
mod listener_handle;
mod middleware;
mod observer;
mod openapi;
mod ops;
mod overload;
mod problem;
mod puzzle;
mod recent_failures;
mod request_telemetry;
mod route;
mod schedule;
mod server;
mod standard_headers;
mod time;

pub use api::Api;
pub use concert::{ConcertPages, PageSource, RenderedPage};
pub use connections::{ConnectionCounts, Connections, Network, NotANetwork, PerAddress};
pub use cors::{InvalidOrigin, Origin};
pub use dependency_health::DependencyHealth;
pub use lifecycle::{Lifecycle, Phase};
pub use observer::{RequestEnd, RequestObserver, RequestStart, TraceContext};
pub use openapi::json as openapi_json;
pub use ops::{BuildInfo, MetricsText, NodeReadiness, Ops};
pub use overload::{
    AddressFrom, JoiningRate, LimiterCounts, LimiterSettings, LoadShedder, OverloadCounts,
    OverloadSettings, Rate,
};
pub use problem::Failure;
pub use problem::reference::markdown as error_reference;
pub use puzzle::{JoinPuzzles, PuzzleCounts};
pub use recent_failures::RecentFailures;
pub use request_telemetry::RequestTelemetry;
pub use route::Route;
pub use schedule::{ConcertDates, DateSource, RenderedDates};
pub use server::{HttpSettings, Listener, Stopper, listen_baseline, listen_ops, listen_public};
