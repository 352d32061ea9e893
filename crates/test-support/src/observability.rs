//! Reads rules and dashboards well enough to compare their names with those of a running service.
//!
//! This is not a YAML parser: it supports the plain form of this repository's rules. `promtool`
//! parses the same files completely, so a misread file is detected.

mod dashboards;
mod promql;
mod rules;

pub use dashboards::{Panel, read_dashboard};
pub use promql::{Selector, groupings, selectors};
pub use rules::{Case, Rule, read_cases, read_rules};

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Doing as _, Outcome, failed};

/// An expression and its location.
#[derive(Clone, Debug)]
pub struct Expression {
    /// The location, for error messages.
    pub place: String,
    /// The expression, in the language of its data source.
    pub text: String,
}

/// All PromQL expressions below a folder like `deploy/observability`, from rules and dashboards.
///
/// # Errors
/// If a file cannot be read, or there are no files.
pub fn expressions(folder: &Path) -> Outcome<Vec<Expression>> {
    let mut all = Vec::new();
    for file in files(&folder.join("prometheus/rules"), "yml")? {
        for rule in read_rules(&read(&file)?) {
            let text = rule.field("expr").unwrap_or_default().to_owned();
            all.push(Expression { place: format!("{}: {}", shown(&file), rule.name()), text });
        }
    }
    all.extend(of_dashboards(folder, dashboards::expressions)?);
    Ok(all)
}

/// All InfluxQL queries of the dashboards below a folder like `deploy/observability`, with
/// Grafana's variables in them.
///
/// # Errors
/// If a file cannot be read, or there are no files.
pub fn influx_queries(folder: &Path) -> Outcome<Vec<Expression>> {
    of_dashboards(folder, dashboards::influx_queries)
}

fn of_dashboards(
    folder: &Path,
    find: impl Fn(&str) -> Outcome<Vec<(String, String)>>,
) -> Outcome<Vec<Expression>> {
    let mut all = Vec::new();
    for file in files(&folder.join("grafana/dashboards"), "json")? {
        let found = find(&read(&file)?)?;
        let placed =
            |(place, text)| Expression { place: format!("{}: {place}", shown(&file)), text };
        all.extend(found.into_iter().map(placed));
    }
    Ok(all)
}

/// The PromQL queries of a runbook page: one per line, in fenced blocks.
pub fn queries(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```promql\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines())
}

/// The files of a folder with this extension, sorted.
///
/// # Errors
/// If there are none.
pub fn files(folder: &Path, extension: &str) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).doing(format!("listing {}", folder.display()))?;
    let is_one = |file: &PathBuf| file.extension().is_some_and(|found| found == extension);
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(is_one).collect();
    files.sort_unstable();
    if files.is_empty() {
        Err(failed(format!("no .{extension} in {}", folder.display())))
    } else {
        Ok(files)
    }
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read.
pub fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).doing(format!("reading {}", file.display()))
}

fn shown(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
