//! The concert list under the load of a k6 script, while the shared Redis is too small for all
//! values.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use test_support::{Outcome, Redis};

use super::deployment::{self, CONCERTS, PAGES, admit, protection, said};
use super::report::Report;
use crate::cluster::k6::Script;
use crate::cluster::node::Node;
use benchmarks::load::client::request;
use benchmarks::load::outcomes::Summary;
use benchmarks::load::pace::{Asking, Load, Pace, runtime};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The k6 script; it aims at port 8081
    #[arg(long, value_name = "FILE", default_value = "loadtest/concert-list.js")]
    k6: PathBuf,
    /// Seconds of the script, and of the other clients
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Pages and dates that other clients read a second
    #[arg(long, default_value_t = 600)]
    rate: u64,
}

const NODES: usize = 3;

/// People with a session at each node.
const TOKENS: u64 = 50;

const CONNECTIONS: usize = 300;

/// The values read during the run take most of this; together with the existing ones they exceed
/// it.
const SMALL: &str = "8mb";

/// 3 MB of unused copies, as after an earlier sale.
const LEAVE: &str = "for n = 1, 3000 do redis.call('SET', 'left:' .. n, string.rep('x', 1000)) end";
const LEFT: &str = "return #redis.call('KEYS', 'left:*')";

pub(super) fn small_cache(
    arguments: &Arguments,
    settings: &[String],
    report: &mut Report,
) -> Outcome {
    let database = deployment::database(report)?;
    let redis = deployment::cache(SMALL, report)?;
    redis.command(&["EVAL", LEAVE, "0"])?;
    report.add("3000 copies of 1 KB, which nobody asks for, are in it already");
    let address = database.server.address();
    let ours = ["http.bind=127.0.0.1:8081"];
    let mut nodes = deployment::nodes(1, address, Some(&redis), &ours, settings, report)?;
    nodes.extend(deployment::nodes(NODES - 1, address, Some(&redis), &[], settings, report)?);
    let runtime = runtime()?;
    let mut tokens = Vec::new();
    for node in &nodes {
        tokens.push(runtime.block_on(admit(node, TOKENS))?);
    }
    report.add(format!(
        "the script asks the first node; meanwhile others read {} times a second from all {NODES}: every page in turn, and \
         after each page the dates of the next 4 of {CONCERTS} concerts",
        arguments.rate
    ));
    let asking = Asking {
        nodes: nodes.iter().map(|node| node.public).collect(),
        connections: CONNECTIONS,
        request: Arc::new(move |n, node| read(n, node, &tokens[node][(n % TOKENS) as usize])),
    };
    let load =
        Load::start(asking, Pace::Open(arguments.rate), Duration::from_secs(arguments.seconds))?;
    let script = Script::start(&arguments.k6)?;
    let (is_content, text) = script.end()?;
    let seen = Summary::of(&load.join()?);
    report.add(&text);
    report.add(format!("the others: {seen}"));
    notify(&redis, &nodes, report)?;
    let failures = failures(&text);
    report.expect(is_content, "every threshold of the script holds");
    report.expect(failures == Some(0), format!("no request of the script failed ({failures:?})"));
    report.expect(seen.refused + seen.failed == 0, "no other answer is an error");
    deployment::report_troubles(&nodes, report);
    Ok(())
}

/// A page, then four concerts, and so on. Nodes begin with different concerts, so that soon one of
/// them has read each.
fn read(n: u64, node: usize, token: &str) -> Vec<u8> {
    let (round, place) = (n / 5, n % 5);
    if place == 0 {
        return request("GET", &format!("/concerts/query?page={}", 1 + round % PAGES), None);
    }
    let concert = (4 * round + place - 1 + node as u64 * CONCERTS / NODES as u64) % CONCERTS;
    request("GET", &format!("/concert/{}/date", 1 + concert), Some(token))
}

fn notify(redis: &Redis, nodes: &[Node], report: &mut Report) -> Outcome {
    let used = said(redis, "memory", "used_memory_human")?;
    let evicted = said(redis, "stats", "evicted_keys")?;
    let keys = redis.command(&["DBSIZE"])?;
    let left = redis.command(&["EVAL", LEFT, "0"])?;
    report.add(format!(
        "Redis: {keys} keys, {left} of them those nobody asks for, {used} used, {evicted} evicted in all"
    ));
    for (n, node) in nodes.iter().enumerate() {
        let caches = runtime()?.block_on(protection(node))?["caches"].clone();
        for kind in ["concerts", "dates"] {
            let it = |name: &str| caches[kind][name].to_string();
            report.add(format!(
                "node {}, {kind}: hit ratio {:.4}, {} hits, {} stale, {} old, {} misses, {} looks answered by Redis, {} \
                 loads, {} copies outrun, {} errors of Redis",
                n + 1,
                caches[kind]["hitRatio"].as_f64().unwrap_or(f64::NAN),
                it("hits"),
                it("stale"),
                it("old"),
                it("misses"),
                it("sharedHits"),
                it("loads"),
                it("outrun"),
                it("sharedErrors")
            ));
        }
    }
    let really = evicted.parse::<u64>().is_ok_and(|evicted| evicted > 0);
    report.expect(really, "Redis evicts");
    Ok(())
}

/// The number of failed requests, from k6's line such as `http_req_failed....: 0.00% 0 out of 100`.
fn failures(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("http_req_failed") && line.contains("out of"))?;
    line.split_once("out of")?.0.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_parsed_from_the_output_of_k6() {
        let text = "    http_req_failed\n    x 'rate<0.01' rate=0.00%\n    http_req_failed......: 0.01%  7 out of 51234\n";
        assert_eq!(failures(text), Some(7));
        assert_eq!(failures("nothing"), None);
    }
}
