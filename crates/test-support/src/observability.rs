//! What rules and dashboards say, read well enough to compare their names with those of a running service.
//!
//! This is no YAML reader: it takes the plain form that the rules of this repository are written in. `promtool` reads the
//! same files as what they are, so a file that this would misread does not come as a surprise.

mod dashboards;
mod promql;
mod rules;

pub use dashboards::{Panel, read_dashboard};
pub use promql::{Selector, groupings, selectors};
pub use rules::{Case, Rule, read_cases, read_rules};

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Doing as _, Outcome, failed};

/// An expression, and where it stands.
#[derive(Clone, Debug)]
pub struct Expression {
    /// For whoever has to find it.
    pub place: String,
    /// In the language of whom it asks.
    pub text: String,
}

/// Every PromQL expression below a folder like `deploy/observability`: those of its rules and of its dashboards.
///
/// # Errors
/// When a file cannot be read, or there are no files.
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

/// Every InfluxQL query of the dashboards below a folder like `deploy/observability`, with the variables of Grafana in it.
///
/// # Errors
/// When a file cannot be read, or there are no files.
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

/// The PromQL queries of a page of the runbook: one a line, in blocks of their own.
pub fn queries(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```promql\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines())
}

/// The files of a folder whose name ends so, by name.
///
/// # Errors
/// When there are none.
pub fn files(folder: &Path, extension: &str) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).doing(format!("looking into {}", folder.display()))?;
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
/// When it cannot be read.
pub fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).doing(format!("reading {}", file.display()))
}

fn shown(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
