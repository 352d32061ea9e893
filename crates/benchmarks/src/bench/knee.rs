//! The highest rate that is answered in time, and the behaviour at twice that rate.
//!
//! This is an open model: requests are sent when they are due, whether or not earlier ones were
//! answered, and each is timed from then. The service and its stores have one core; the generator,
//! one thread of this program, has another.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::replaced_service_loads::{CONCERTS, SEATS, UNCACHED, admit};
use super::service::Service;
use super::{EVER_LONGER, KEY};
use crate::affinity;
use crate::database::Filled;
use crate::environment::Environment;
use crate::load::client::request;
use crate::load::outcomes::{Seen, Summary, What, between};
use crate::load::pace::{Asking, Load, Pace, draw};
use test_support::{Outcome, Redis, RedisSetup, find_or_install_redis};

/// All knees of a run.
#[derive(Deserialize, Serialize)]
pub(crate) struct Knees {
    pub(crate) environment: Environment,
    /// The rate at which the constant answer responds to the generator in a closed loop, requests a
    /// second.
    pub(crate) generator: f64,
    pub(crate) knees: Vec<Knee>,
}

/// The knee of one kind of request.
#[derive(Deserialize, Serialize)]
pub(crate) struct Knee {
    pub(crate) what: String,
    pub(crate) settings: String,
    /// In the order of measurement.
    pub(crate) steps: Vec<Step>,
    /// At half of the knee, before the overload.
    pub(crate) calm: Step,
    pub(crate) twice: Step,
    /// At half of the knee again, counted from [`RECOVERED`] after the overload.
    pub(crate) after: Step,
}

/// One rate, for some seconds.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Step {
    /// Requests due a second.
    pub(crate) offered: u64,
    /// Good answers a second that arrived during the step.
    pub(crate) good: f64,
    /// Of all due requests, those refused with `Retry-After`, and those that failed.
    pub(crate) refused: usize,
    pub(crate) failed: usize,
    /// Microseconds from the due moment to the answer.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    /// The share of the core that the service used; the rest is Redis and Postgres.
    pub(crate) server_load: f64,
}

/// A rate counts as served if this share of the due requests is good and their 99th percentile
/// stays within this limit, in microseconds.
pub(crate) const GOOD: f64 = 0.99;
pub(crate) const IN_TIME: u64 = 250_000;

/// Above this share of the generator's maximum, the generator itself may be late.
pub(crate) const GENERATORS: f64 = 0.8;

const CONNECTIONS: usize = 3_000;
const FIRST: u64 = 2_000;
const STEP: Duration = Duration::from_secs(4);
const TWICE: Duration = Duration::from_secs(15);
const AROUND: Duration = Duration::from_secs(10);
/// Seconds.
const RECOVERED: f64 = 5.0;

impl Step {
    pub(crate) fn is_served(&self) -> bool {
        self.good >= GOOD * self.offered as f64
            && self.p99 <= IN_TIME
            && self.failed + self.refused == 0
    }
}

impl Knee {
    /// The highest rate that was served.
    pub(crate) fn offered(&self) -> u64 {
        self.steps
            .iter()
            .filter(|step| step.is_served())
            .map(|step| step.offered)
            .max()
            .unwrap_or_default()
    }
}

pub(super) fn measure() -> Outcome<Knees> {
    affinity::stay_on(affinity::SERVER)?;
    let redis =
        Redis::start(&find_or_install_redis(|line| println!("{line}"))?, RedisSetup::default())?;
    let database = Filled::start(CONCERTS, SEATS)?;
    affinity::stay_on(affinity::GENERATOR)?;
    let url = format!("postgres.url={}", database.url());
    let generator = fastest()?;
    println!("the generator: {generator:.0}/s of the constant answer");
    let pool = ["catalog.store=postgres", url.as_str(), "postgres.pool.size=10"];
    let people = ["queue.policy.batch=1000", "queue.policy.session_ttl=1h"];
    let knees = vec![
        joins(&redis)?,
        Knee::find(
            "list concerts, 1,000 pages",
            &Service::start("serve", &pool)?,
            "catalog.store=postgres",
            &|n| request("GET", &format!("/concerts/query?page={}", draw(n, PAGES)), None),
        )?,
        dates(
            "read dates of 10,000 concerts, no cache",
            &[&pool[..], &people, &UNCACHED].concat(),
            &["catalog.store=postgres", &UNCACHED.join(" ")].join(" "),
        )?,
    ];
    Ok(Knees { environment: Environment::now(&[]), generator, knees })
}

const PAGES: u64 = CONCERTS as u64 / 10;

fn joins(redis: &Redis) -> Outcome<Knee> {
    let url = format!("redis.queue.url=redis://{}", redis.address());
    let service = Service::start("serve", &["queue.store=redis", KEY, &url, EVER_LONGER])?;
    Knee::find("issue a waiting token", &service, "queue.store=redis", &|n| {
        request("POST", &format!("/user/{}/queue/token/issue", n + 1), None)
    })
}

fn dates(what: &str, settings: &[&str], reported: &str) -> Outcome<Knee> {
    let service = Service::start("serve", settings)?;
    let tokens = admit(&service)?;
    Knee::find(what, &service, reported, &move |n| {
        let token = tokens.get(n as usize % tokens.len()).map(String::as_str);
        request("GET", &format!("/concert/{}/date", draw(n, u64::from(CONCERTS))), token)
    })
}

/// The nth request, from 0.
type Question<'a> = &'a dyn Fn(u64) -> Vec<u8>;

impl Knee {
    /// Raises the rate by a half until a rate is not served, then by a tenth from the last that
    /// was.
    fn find(
        what: &str,
        service: &Service,
        settings: &str,
        question: Question<'_>,
    ) -> Outcome<Self> {
        let mut requested = Invocation { service, question, so_far: 0 };
        requested.step(FIRST, STEP, 0.0)?;
        let mut steps = Vec::new();
        for factor in [1.5, 1.1] {
            let last =
                steps.iter().filter(|step: &&Step| step.is_served()).map(|step| step.offered).max();
            let mut rate = last.map_or(FIRST, |last| (last as f64 * factor) as u64);
            loop {
                let step = requested.step(rate, STEP, 0.0)?;
                println!("{what}, {rate}/s: {:.0} good, p99 {} us", step.good, step.p99);
                let is_served = step.is_served();
                steps.push(step);
                if !is_served {
                    break;
                }
                rate = (rate as f64 * factor) as u64;
            }
        }
        let mut knee = Self {
            what: what.to_owned(),
            settings: settings.to_owned(),
            steps,
            calm: Step::default(),
            twice: Step::default(),
            after: Step::default(),
        };
        let offered = knee.offered();
        knee.calm = requested.step(offered / 2, AROUND, RECOVERED)?;
        knee.twice = requested.step(offered * 2, TWICE, 0.0)?;
        knee.after = requested.step(offered / 2, AROUND, RECOVERED)?;
        Ok(knee)
    }
}

struct Invocation<'a> {
    service: &'a Service,
    question: Question<'a>,
    /// Requests of earlier steps; none is repeated.
    so_far: u64,
}

impl Invocation<'_> {
    /// Counts the requests due from `from` seconds on.
    fn step(&mut self, offered: u64, lasts: Duration, from: f64) -> Outcome<Step> {
        // All requests are built beforehand, to leave the thread free to send on time.
        let many = offered * lasts.as_secs() + 1;
        let questions: Vec<Vec<u8>> =
            (self.so_far..self.so_far + many).map(self.question).collect();
        self.so_far += many;
        let nth = move |n: u64, _| questions.get(n as usize).cloned().unwrap_or_default();
        let asking = Asking {
            nodes: vec![self.service.address],
            connections: CONNECTIONS,
            request: Arc::new(nth),
        };
        let before = self.service.cpu_seconds()?;
        let load = Load::start(asking, Pace::Open(offered.max(1)), lasts)?;
        load.wait_for(lasts.as_secs_f64());
        let server_load = (self.service.cpu_seconds()? - before) / lasts.as_secs_f64();
        Ok(Step::of(&load.join()?, offered, lasts, from, server_load))
    }
}

impl Step {
    fn of(seen: &[Seen], offered: u64, lasts: Duration, from: f64, server_load: f64) -> Self {
        let end = lasts.as_secs_f64();
        let came = |one: &&Seen| {
            let came = (one.at + one.took).as_secs_f64();
            matches!(one.what, What::Good | What::Marked) && (from..end).contains(&came)
        };
        let good = seen.iter().filter(came).count() as f64 / (end - from);
        let figures = Summary::of(between(seen, from, end));
        let micros = |time: Duration| time.as_micros() as u64;
        Self {
            offered,
            good,
            refused: figures.refused,
            failed: figures.failed,
            p50: micros(figures.p50),
            p99: micros(figures.p99),
            p999: micros(figures.p999),
            server_load,
        }
    }
}

impl Default for Step {
    fn default() -> Self {
        Self::of(&[], 0, Duration::from_secs(1), 0.0, 0.0)
    }
}

fn fastest() -> Outcome<f64> {
    let baseline = Service::start("baseline", &[])?;
    let constant = b"GET /constant HTTP/1.1\r\nHost: boxoffice\r\n\r\n".to_vec();
    let asking = Asking {
        nodes: vec![baseline.address],
        connections: 64,
        request: Arc::new(move |_, _| constant.clone()),
    };
    let seen = Load::run(asking, Pace::Closed, STEP)?;
    Ok(Summary::of(&seen).answered() as f64 / STEP.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(due: u64, took: u64, what: What) -> Seen {
        Seen { at: Duration::from_millis(due), took: Duration::from_millis(took), what }
    }

    fn step(seen: &[Seen]) -> Step {
        Step::of(seen, 2, Duration::from_secs(1), 0.0, 1.0)
    }

    #[test]
    fn a_rate_is_served_if_all_answers_are_good_and_in_time() {
        assert!(step(&[seen(0, 5, What::Good), seen(500, 5, What::Good)]).is_served());
        assert!(!step(&[seen(0, 5, What::Good), seen(500, 300, What::Good)]).is_served(), "late");
        assert!(
            !step(&[seen(0, 5, What::Good), seen(990, 50, What::Good)]).is_served(),
            "after its end"
        );
        assert!(!step(&[seen(0, 5, What::Good), seen(500, 5, What::Refused)]).is_served());
        assert!(!step(&[seen(0, 5, What::Good), seen(500, 5, What::Failed)]).is_served());
    }
}
