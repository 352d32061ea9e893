//! Ten thousand concurrent requests for an uncached value: the database gets one query.

use std::time::{Duration, Instant};

use clap::Args;
use test_support::{Doing as _, Outcome, failed};

use super::deployment::{self, admit, counted};
use super::report::Report;
use crate::cluster::node::Node;
use benchmarks::Filled;
use benchmarks::load::client::{Client, request};
use benchmarks::load::pace::runtime;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Concurrent requests, each on a separate connection
    #[arg(long, default_value_t = 10_000)]
    people: usize,
    /// Number of cold pages, and of concerts with cold dates, with Redis and then without
    #[arg(long, default_value_t = 3)]
    keys: u64,
}

const NODES: usize = 3;

/// People with a session at each node; they share the connections.
const TOKENS: usize = 50;

/// The database answers once the last request was sent. With the generator on the same cores that
/// takes longer than a page does, so these settings prevent timeouts, and prevent a refresh before
/// all requests have the value.
const PATIENT: [&str; 8] = [
    "cache.lease_wait=4s",
    "cache.lease=10s",
    "cache.concerts.load_limit=5s",
    "cache.dates.load_limit=5s",
    "limits.concerts.timeout=4s",
    "limits.dates.timeout=4s",
    "cache.dates.ttl=10s",
    "http.request_timeout=10s",
];
const PATIENT_DATABASE: [&str; 2] = ["postgres.statement_timeout=4s", "postgres.lock_timeout=4s"];

/// All requests must be sent within this time; after it a node would rightly load for itself.
const SEND_LIMIT: Duration = Duration::from_secs(3);

/// Wait after the last answer, by when late queries have reached the database.
const SETTLED: Duration = Duration::from_millis(300);

/// Counts the statements that read concerts.
const COUNTED: &str = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
    WHERE query ILIKE 'SELECT%' AND query LIKE '%concerts%' AND query NOT LIKE '%pg_stat%'";

pub(super) fn storm(arguments: &Arguments, settings: &[String], report: &mut Report) -> Outcome {
    let database = deployment::database(report)?;
    count_statements(&database)?;
    let redis = deployment::cache(deployment::ENOUGH, report)?;
    let patient: Vec<&str> = PATIENT.into_iter().chain(PATIENT_DATABASE).collect();
    let address = database.server.address();
    let nodes = deployment::nodes(NODES, address, Some(&redis), &patient, settings, report)?;
    report.add(format!(
        "{} questions at once over {NODES} nodes, each on a connection of its own; the tables are locked until the last \
         one is sent; questions to the database as its pg_stat_statements counts them",
        arguments.people
    ));
    let runtime = runtime()?;
    let mut crowd = runtime.block_on(Crowd::gather(&nodes, arguments.people))?;
    let mut run = |first: u64, expected: u64, report: &mut Report| -> Outcome {
        for key in first..first + arguments.keys {
            for what in [What::Page(key), What::Dates(key)] {
                runtime.block_on(crowd.storm(what, expected, &database, &nodes, report))?;
            }
        }
        Ok(())
    };
    run(101, 1, report)?;
    redis.kill()?;
    report.add("kill -9 of Redis: each node asks once");
    run(501, NODES as u64, report)?;
    let failures = runtime.block_on(async {
        Ok(counted(&nodes, "concerts", "load_failures").await?
            + counted(&nodes, "dates", "load_failures").await?)
    })?;
    report.expect(failures == 0, format!("no load failed ({failures} did)"));
    deployment::report_troubles(&nodes, report);
    Ok(())
}

/// Enables the server's count of statements, which takes a restart.
fn count_statements(database: &Filled) -> Outcome {
    database.sql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")?;
    database.server.stop()?;
    database.server.restart()?;
    database.sql("CREATE EXTENSION pg_stat_statements").map(drop)
}

/// A value that no request has loaded yet.
#[derive(Clone, Copy)]
enum What {
    Page(u64),
    Dates(u64),
}

impl What {
    fn request(self, token: &str) -> Vec<u8> {
        match self {
            Self::Page(page) => request("GET", &format!("/concerts/query?page={page}"), None),
            Self::Dates(concert) => {
                request("GET", &format!("/concert/{concert}/date"), Some(token))
            }
        }
    }

    fn name(self) -> String {
        match self {
            Self::Page(page) => format!("page {page}"),
            Self::Dates(concert) => format!("dates of {concert}"),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Page(_) => "concerts",
            Self::Dates(_) => "dates",
        }
    }
}

/// The clients: each a connection to its node, and a token.
struct Crowd {
    people: Vec<(Client, String)>,
}

impl Crowd {
    /// Connects all clients. Each requests a cached value first, so that its connection is in use.
    async fn gather(nodes: &[Node], people: usize) -> Outcome<Self> {
        let mut tokens = Vec::new();
        for node in nodes {
            tokens.push(admit(node, TOKENS as u64).await?);
        }
        let mut crowd = Self { people: Vec::new() };
        for n in 0..people {
            let (node, token) =
                (n % nodes.len(), &tokens[n % nodes.len()][n / nodes.len() % TOKENS]);
            let mut client = Client::of(nodes[node].public);
            client
                .request(&What::Page(1).request(token))
                .await
                .doing("requesting the first page")?;
            crowd.people.push((client, token.clone()));
        }
        Ok(crowd)
    }

    /// Sends all requests before any can be answered.
    async fn storm(
        &mut self,
        what: What,
        expected: u64,
        database: &Filled,
        nodes: &[Node],
        report: &mut Report,
    ) -> Outcome {
        let requests: Vec<Vec<u8>> =
            self.people.iter().map(|(_, token)| what.request(token)).collect();
        let (misses, loads) =
            (counted(nodes, what.kind(), "misses"), counted(nodes, what.kind(), "loads"));
        let (misses, loads) = (misses.await?, loads.await?);
        database.sql("SELECT pg_stat_statements_reset()")?;
        let held = database.server.hold("postgres", "LOCK TABLE concerts, schedules")?;
        let began = Instant::now();
        for ((client, _), request) in self.people.iter_mut().zip(&requests) {
            client.send(request).await.doing("sending a request")?;
        }
        let sent = began.elapsed();
        drop(held);
        let mut good = 0;
        for (client, _) in &mut self.people {
            good +=
                usize::from(client.receive().await.doing("waiting for an answer")?.status == 200);
        }
        let answered = began.elapsed();
        if sent > SEND_LIMIT {
            return Err(failed(format!("sending took {sent:.1?}: the machine is too busy")));
        }
        tokio::time::sleep(SETTLED).await;
        let requested: u64 =
            database.sql(COUNTED)?.parse().map_err(|_| failed("Postgres did not count"))?;
        let misses = counted(nodes, what.kind(), "misses").await? - misses;
        let loads = counted(nodes, what.kind(), "loads").await? - loads;
        let (people, name) = (self.people.len(), what.name());
        report.add(format!(
            "{name}: {people} sent in {sent:.0?}, {good} answered 200, all after {answered:.0?}; {misses} found nothing \
             and waited; nodes loaded {loads} times; the database was asked {requested} times"
        ));
        report.expect(
            good == people && requested == expected,
            format!("{name}: all 200, {expected} to the database"),
        );
        Ok(())
    }
}
