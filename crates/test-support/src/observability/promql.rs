//! Extracts the names in a PromQL expression.

use std::collections::BTreeSet;

/// A metric in an expression, and the labels that select its series.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Selector {
    /// The metric.
    pub metric: String,
    /// The names of the labels.
    pub labels: BTreeSet<String>,
}

/// Keywords followed by a list of labels.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Words that are not metrics although no bracket follows them.
const WORDS: [&str; 21] = [
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "atan2",
    "inf",
    "nan",
    "sum",
    "min",
    "max",
    "avg",
    "group",
    "stddev",
    "stdvar",
    "count",
    "count_values",
    "bottomk",
    "topk",
    "quantile",
    "default",
];

/// The metrics of an expression, which may contain Grafana variables.
#[must_use]
pub fn selectors(expression: &str) -> Vec<Selector> {
    Scan::of(expression).selectors
}

/// The labels that an expression groups by or matches on.
#[must_use]
pub fn groupings(expression: &str) -> BTreeSet<String> {
    Scan::of(expression).groupings
}

struct Scan<'a> {
    rest: &'a str,
    selectors: Vec<Selector>,
    groupings: BTreeSet<String>,
}

impl<'a> Scan<'a> {
    fn of(expression: &'a str) -> Self {
        let mut scan = Self { rest: expression, selectors: Vec::new(), groupings: BTreeSet::new() };
        while let Some(next) = scan.rest.chars().next() {
            scan.step(next);
        }
        scan
    }

    fn step(&mut self, next: char) {
        match next {
            '"' | '\'' | '`' => self.string(next),
            '#' => drop(self.take_while(|c| c != '\n')),
            '[' => drop(self.take_while(|c| c != ']')),
            '{' => self.matchers(),
            // A Grafana variable, or a number, perhaps with a unit.
            '$' | '0'..='9' | '.' => {
                self.skip(next);
                self.take_while(|c| is_of_name(c) || c == '.');
            }
            c if is_of_name(c) => {
                let word = self.take_while(is_of_name);
                self.word(word);
            }
            c => self.skip(c),
        }
    }

    fn word(&mut self, word: &str) {
        let is_called = self.rest.trim_start().starts_with('(');
        let lower = word.to_ascii_lowercase();
        if LISTS.contains(&lower.as_str()) {
            if is_called {
                let list = self.take_while(|c| c != ')');
                let names = list.split(|c| !is_of_name(c)).filter(|name| !name.is_empty());
                self.groupings.extend(names.map(str::to_owned));
            }
        } else if !is_called && !WORDS.contains(&lower.as_str()) {
            self.selectors.push(Selector { metric: word.to_owned(), labels: BTreeSet::new() });
        }
    }

    /// Matchers after a metric belong to it. Matchers without one are assumed to name the metric in
    /// `__name__`, and are ignored.
    fn matchers(&mut self) {
        self.skip('{');
        let mut labels = BTreeSet::new();
        while let Some(next) = self.rest.chars().next().filter(|c| *c != '}') {
            if matches!(next, '"' | '\'' | '`') {
                self.string(next);
            } else if is_of_name(next) {
                labels.insert(self.take_while(is_of_name).to_owned());
            } else {
                self.skip(next);
            }
        }
        if let Some(last) = self.selectors.last_mut() {
            last.labels.extend(labels);
        }
    }

    fn string(&mut self, quote: char) {
        self.skip(quote);
        loop {
            self.take_while(|c| c != quote && c != '\\');
            let Some(end) = self.rest.chars().next() else { return };
            self.skip(end);
            if end == quote {
                return;
            }
            if let Some(escaped) = self.rest.chars().next() {
                self.skip(escaped);
            }
        }
    }

    fn skip(&mut self, c: char) {
        self.rest = &self.rest[c.len_utf8()..];
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(expression: &str) -> Vec<String> {
        selectors(expression).into_iter().map(|selector| selector.metric).collect()
    }

    #[test]
    fn metrics_are_distinguished_from_functions_labels_strings_and_numbers() {
        assert_eq!(metrics("up"), ["up"]);
        assert_eq!(
            metrics("sum by (queue) (rate(a_total{x=\"b_total\"}[$__rate_interval]))"),
            ["a_total"]
        );
        assert_eq!(
            metrics("histogram_quantile(0.99, sum by (le) (rate(d_bucket[5m])))"),
            ["d_bucket"]
        );
        assert_eq!(
            metrics("a / on (x) group_left (y) b > bool 1e3 or c offset 1h"),
            ["a", "b", "c"]
        );
        assert_eq!(
            metrics("label_replace(absent(a:b:c), \"m\", \"it's } {\", \"\", \"\")"),
            ["a:b:c"]
        );
        assert_eq!(
            metrics("time() - max(step_time) > 5m # than_this\nand other"),
            ["step_time", "other"]
        );
        assert_eq!(metrics("topk($n, a{i=~\"$instance\"})"), ["a"]);
    }

    #[test]
    fn labels_belong_to_the_metric_before_them() {
        let found = selectors("a{x=\"1\", y=~\"\\\"}z=\"} + b / c{z!=\"\"}");
        let labels: Vec<Vec<String>> =
            found.into_iter().map(|selector| selector.labels.into_iter().collect()).collect();
        assert_eq!(labels, [vec!["x".to_owned(), "y".to_owned()], vec![], vec!["z".to_owned()]]);
        let groups = groupings("sum by (a, b) (x) / on () group_right (c) y");
        assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
