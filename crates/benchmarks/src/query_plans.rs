//! `cargo xtask plans`: the query plans of the dates query with a million and with ten million
//! seats.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::database::Filled;
use crate::postgres_benchmark::DatesProgram;
use test_support::workspace::root;
use test_support::{Doing as _, Outcome, failed};

const PAGE: &str = "docs/dates-plans.md";

/// Concerts and seats of the two databases.
const SIZES: [(u32, u64); 2] = [(10_000, 1_000_000), (100_000, 10_000_000)];

/// The concert whose plan is shown: the one that the load scripts request.
const SHOWN: u32 = 451;
/// The number of concerts, from the first, whose plans are counted.
const COUNTED: u32 = 200;
/// The most rows read for each row returned: the concert in addition to its dates, and dates not on
/// sale in addition to those that are.
const MOST_READ: f64 = 4.0;

const INTRODUCTION: &str = "\
# Query plans of the dates query

`cargo xtask plans` generates this page. It fills a private server with the sample, first with a
million seats and then with ten million, and explains the statement that the adapter sends. It fails
if a plan has a sequential scan, or reads more than four rows for each row it returns, over the
first 200 concerts together.

The plan is the generic one that a prepared statement gets after a few executions, so it is the same
for every concert. No plan touches `seats`: the row of a date has the number of seats left
(`adr/0008-seats-left-is-counted-as-seats-change.md`). Times are of one run on a machine shared with
other work; rows and buffers do not depend on that.

The statement:

";

/// Runs it.
///
/// # Errors
/// If the build or the server fails, or the page cannot be written.
pub fn plans() -> Outcome {
    let statement = DatesProgram::build()?.statement()?;
    let mut page = format!("{INTRODUCTION}```sql\n{statement}\n```\n");
    let mut findings = Vec::new();
    for (concerts, seats) in SIZES {
        let explained = explain(&statement, concerts, seats)?;
        page.push_str(&explained.markdown(concerts, seats));
        findings.extend(explained.findings(seats));
    }
    fs::write(root().join(PAGE), page).doing(format!("writing {PAGE}"))?;
    println!("{PAGE} is written");
    if findings.is_empty() { Ok(()) } else { Err(failed(findings.join("; "))) }
}

/// The findings on one database.
struct Explained {
    /// The plan of one concert, in the server's words.
    text: String,
    sizes: String,
    counted: Counted,
}

/// Totals over many concerts.
#[derive(Default)]
struct Counted {
    read: f64,
    answered: f64,
    sequential_scans: usize,
}

fn explain(statement: &str, concerts: u32, seats: u64) -> Outcome<Explained> {
    let filled = Filled::start(concerts, seats)?;
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE dates (timestamptz, timestamptz, int, bigint) AS {statement};\n"
    );
    let request = |format: &str, concert| {
        format!("EXPLAIN ({format}) EXECUTE dates (now(), now(), 0, {concert});\n")
    };
    // The first execution warms up, the second is shown.
    let text = filled.sql(&format!(
        "{prepare}EXECUTE dates (now(), now(), 0, {SHOWN});\n\\echo plan\n{}",
        request("ANALYZE, BUFFERS", SHOWN)
    ))?;
    let (_, text) = text.split_once("plan\n").ok_or_else(|| failed("no plan"))?;
    let many: String =
        (1..=COUNTED).map(|concert| request("ANALYZE, FORMAT JSON", concert)).collect();
    let json = filled.sql(&format!("{prepare}{many}"))?;
    let mut counted = Counted::default();
    for plan in serde_json::Deserializer::from_str(&json).into_iter::<Value>() {
        let plan = plan.map_err(|error| failed(format!("a plan is not valid JSON: {error}")))?;
        counted.answered += plan[0]["Plan"]["Actual Rows"].as_f64().unwrap_or(0.0);
        counted.add(&plan[0]["Plan"]);
    }
    let sizes = "SELECT format('%s dates; seats and their index take %s', (SELECT count(*) FROM schedules), \
                 pg_size_pretty(pg_total_relation_size('seats')))";
    Ok(Explained { text: text.to_owned(), sizes: filled.sql(sizes)?, counted })
}

impl Counted {
    /// Adds a plan node and all nodes below it.
    fn add(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().unwrap_or_default();
        if kind.contains("Scan") {
            let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
            let rows = number("Actual Rows")
                + number("Rows Removed by Filter")
                + number("Rows Removed by Index Recheck");
            self.read += rows * number("Actual Loops");
            self.sequential_scans += usize::from(kind == "Seq Scan");
        }
        node["Plans"].as_array().into_iter().flatten().for_each(|below| self.add(below));
    }

    fn per_row(&self) -> f64 {
        self.read / self.answered
    }
}

impl Explained {
    fn markdown(&self, concerts: u32, seats: u64) -> String {
        let mut text = format!("\n## {seats} seats, {concerts} concerts\n\n");
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "{}. Over the first {COUNTED} concerts {} rows were read to return {}: {:.1} for each. Concert {SHOWN}:\n\n\
             ```\n{}\n```",
            self.sizes,
            self.counted.read,
            self.counted.answered,
            self.counted.per_row(),
            self.text.trim_end()
        );
        text
    }

    fn findings(&self, seats: u64) -> Vec<String> {
        let Counted { sequential_scans, answered, .. } = self.counted;
        let mut findings = Vec::new();
        if sequential_scans > 0 || self.text.contains("Seq Scan") {
            findings.push(format!("{seats} seats: a plan has a sequential scan"));
        }
        if answered == 0.0 || self.counted.per_row() > MOST_READ {
            findings.push(format!(
                "{seats} seats: {:.1} rows read for each one returned",
                self.counted.per_row()
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_include_the_rows_that_filters_remove() {
        let plan = serde_json::json!({
            "Node Type": "Nested Loop", "Actual Rows": 2, "Actual Loops": 1,
            "Plans": [
                {"Node Type": "Index Scan", "Actual Rows": 1, "Actual Loops": 1},
                {"Node Type": "Index Scan", "Actual Rows": 2, "Rows Removed by Filter": 1, "Actual Loops": 3},
                {"Node Type": "Seq Scan", "Actual Rows": 5, "Actual Loops": 1}
            ]
        });
        let mut counted = Counted { answered: 2.0, ..Counted::default() };
        counted.add(&plan);
        assert_eq!((counted.read, counted.sequential_scans), (15.0, 1));
        assert!((counted.per_row() - 7.5).abs() < 1e-9);
    }
}
