#![doc = include_str!("../README.md")]

mod address_group;
mod age;
mod api;
mod concert;
mod connections;
mod distinct;
mod door;
mod edge;
mod failures;
mod handlers;
mod language;
mod lifecycle;
mod observer;
mod ops;
mod outages;
mod overload;
mod problem;
mod puzzle;
mod route;
mod routes;
mod schedule;
mod server;
mod standard_headers;
mod time;
mod watch;
mod yardstick;

pub use api::Api;
pub use concert::{ConcertPages, PageSource, RenderedPage};
pub use connections::{ConnectionCounts, Connections, Network, NotANetwork, PerAddress};
pub use failures::Failures;
pub use lifecycle::{Lifecycle, Phase};
pub use observer::{Begun, Ended, Followed, RequestObserver};
pub use ops::{Facts, MetricsText, NodeReadiness, Ops, Protection};
pub use outages::Outages;
pub use overload::{
    AddressFrom, GateCounts, GateSettings, JoiningRate, Overload, OverloadCounts, OverloadSettings,
    Rate,
};
pub use problem::Failure;
pub use problem::reference::markdown as error_reference;
pub use puzzle::{JoinPuzzles, PuzzleCounts};
pub use route::Route;
pub use schedule::{ConcertDates, DateSource, RenderedDates};
pub use server::{HttpSettings, Listener, Stopper, listen_ops, listen_public, listen_yardstick};
pub use watch::Watch;
