//! How the cost of a request grows with waiting people, connections and concerts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::measure::{Measurement, Target, crowd};
use super::service::Service;
use super::{EVER_LONGER, STANDING_STILL, idle_connections};
use crate::environment::Environment;
use crate::stats::spread;
use test_support::Outcome;

/// All curves of a run.
#[derive(Deserialize, Serialize)]
pub(crate) struct Growth {
    pub(crate) environment: Environment,
    pub(crate) curves: Vec<Curve>,
    pub(crate) idle: idle_connections::Idle,
}

/// One request, measured while one quantity grows.
#[derive(Deserialize, Serialize)]
pub(crate) struct Curve {
    /// The request.
    pub(crate) what: String,
    /// The quantity that grows.
    pub(crate) grows: String,
    /// Rounds for each size, and seconds for each round.
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) points: Vec<Point>,
}

/// One size.
#[derive(Deserialize, Serialize)]
pub(crate) struct Point {
    pub(crate) size: u32,
    pub(crate) connections: u32,
    /// Requests per second of the server's processor time, relative to those at the first size in
    /// the same round: lowest, median, highest.
    pub(crate) ratio: (f64, f64, f64),
    /// Median.
    pub(crate) per_second: f64,
    /// Microseconds, median.
    pub(crate) p99: u64,
    /// Memory in use by the server at the end, bytes.
    pub(crate) memory: u64,
    /// Over all rounds.
    pub(crate) errors: u64,
}

const CONNECTIONS: u32 = 64;
const WAITING: [u32; 4] = [10, 1_000, 100_000, 1_000_000];
const CONNECTED: [u32; 5] = [64, 256, 1_024, 4_096, 10_000];
const CONCERTS: [u32; 4] = [100, 1_000, 10_000, 100_000];

/// Rounds and seconds for each size of a curve. Many short rounds resolve a few per cent better
/// than a few long ones.
const OFTEN: (u32, u32) = (15, 2);
const SELDOM: (u32, u32) = (5, 3);

pub(super) fn measure(out: &Path) -> Outcome<Growth> {
    Ok(Growth {
        curves: vec![waiting(out)?, connected(out)?, one_page(out)?, all_pages(out)?],
        idle: idle_connections::measure()?,
        environment: Environment::now(&[&["wrk", "--version"]]),
    })
}

struct Size<'a> {
    size: u32,
    connections: u32,
    target: Target<'a>,
}

fn waiting(out: &Path) -> Outcome<Curve> {
    let mut lines = Vec::new();
    for size in WAITING {
        let service = Service::start("serve", &[&STANDING_STILL[..], &[EVER_LONGER]].concat())?;
        service.join(1)?;
        let people = u64::from(size);
        let last =
            if size < 10_000 { service.join_until(people)? } else { crowd(&service, people, out)? };
        lines.push((size, service, last));
    }
    let sizes = lines.iter().map(|(size, service, last)| Size {
        size: *size,
        connections: CONNECTIONS,
        target: Target::status(format!("status, {size} waiting"), service, last),
    });
    curve("status query", "people waiting", &sizes.collect::<Vec<_>>(), OFTEN, out)
}

fn connected(out: &Path) -> Outcome<Curve> {
    let service = Service::start("serve", &STANDING_STILL)?;
    service.join(1)?;
    let last = service.join_until(10)?;
    let sizes = CONNECTED.map(|size| Size {
        size,
        connections: size,
        target: Target::status("status", &service, &last),
    });
    curve("status query", "connections", &sizes, SELDOM, out)
}

fn one_page(out: &Path) -> Outcome<Curve> {
    listed("concert page, the first", out, |service, size| {
        Target::new(format!("page one of {size}"), service, "/concerts/query?page=1", None)
    })
}

fn all_pages(out: &Path) -> Outcome<Curve> {
    listed("concert page, all in turn", out, |service, size| {
        Target::paging(format!("pages of {size}"), service, size / 10)
    })
}

fn listed(what: &str, out: &Path, target: impl Fn(&Service, u32) -> Target<'_>) -> Outcome<Curve> {
    let catalogues = CONCERTS.map(|size| {
        let concerts = format!("catalog.sample_concerts={size}");
        Ok((size, Service::start("serve", &[&concerts])?))
    });
    let catalogues = catalogues.into_iter().collect::<Outcome<Vec<_>>>()?;
    let sizes = catalogues.iter().map(|(size, service)| Size {
        size: *size,
        connections: CONNECTIONS,
        target: target(service, *size),
    });
    curve(what, "concerts", &sizes.collect::<Vec<_>>(), SELDOM, out)
}

/// Every other round runs from the largest to the smallest size, so that a machine that slows down
/// does not produce a curve.
fn curve(
    what: &str,
    grows: &str,
    sizes: &[Size<'_>],
    how: (u32, u32),
    out: &Path,
) -> Outcome<Curve> {
    let (rounds, seconds) = how;
    let mut measured: Vec<Vec<Measurement>> = sizes.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for index in order {
            let Size { target, connections, .. } = &sizes[index];
            measured[index].push(target.measure(*connections, seconds, out, round)?);
        }
    }
    let first = measured.first().cloned().unwrap_or_default();
    let point = |(size, rounds): (&Size<'_>, &Vec<Measurement>)| Point {
        size: size.size,
        connections: size.connections,
        ratio: spread(
            rounds.iter().zip(&first).map(|(one, first)| one.per_cpu_second / first.per_cpu_second),
        ),
        per_second: spread(rounds.iter().map(Measurement::per_second)).1,
        p99: spread(rounds.iter().map(|one| one.figures.p99 as f64)).1 as u64,
        memory: rounds.last().map_or(0, |one| one.memory),
        errors: rounds.iter().map(|one| one.figures.errors).sum(),
    };
    let points = sizes.iter().zip(&measured).map(point).collect();
    Ok(Curve { what: what.to_owned(), grows: grows.to_owned(), rounds, seconds, points })
}
