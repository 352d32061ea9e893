//! Recording and alerting rules, and their test cases for `promtool`.

use std::collections::BTreeMap;

/// A rule of Prometheus or of Loki's ruler.
#[derive(Clone, Debug)]
pub struct Rule {
    is_alert: bool,
    name: String,
    fields: BTreeMap<String, String>,
}

impl Rule {
    /// Whether it is an alerting rule rather than a recording rule.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        self.is_alert
    }

    /// The name of the rule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of `expr`, `for`, a label or an annotation.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// The rules of a file.
#[must_use]
pub fn read_rules(text: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    // The field whose text follows on more deeply indented lines.
    let mut block: Option<(usize, String)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some((from, field)) = &block {
            if indent > *from {
                if let Some(rule) = rules.last_mut() {
                    let text = rule.fields.entry(field.clone()).or_default();
                    text.push_str(line);
                    text.push('\n');
                }
                continue;
            }
            block = None;
        }
        let Some((field, value)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let value = value.trim();
        match (field, rules.last_mut()) {
            ("- alert" | "- record", _) => rules.push(Rule {
                is_alert: field == "- alert",
                name: value.to_owned(),
                fields: BTreeMap::new(),
            }),
            // A group starts: the next lines do not belong to the previous rule.
            (_, Some(_)) if field.starts_with("- ") => {}
            (_, Some(_)) if value == "|" => block = Some((indent, field.to_owned())),
            (_, Some(rule)) => {
                let value = value
                    .strip_prefix('"')
                    .and_then(|inner| inner.strip_suffix('"'))
                    .unwrap_or(value);
                rule.fields.entry(field.to_owned()).or_insert_with(|| value.to_owned());
            }
            (_, None) => {}
        }
    }
    rules
}

/// One check of an alert in a test.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Case {
    /// The name of the test.
    pub test: String,
    /// The alert.
    pub alert: String,
    /// Whether it is expected to fire at that time.
    pub fires: bool,
}

/// The cases of a file, in order.
#[must_use]
pub fn read_cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut test, mut alert) = ("", "");
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- name: ") {
            test = name;
        } else if let Some(name) = line.strip_prefix("alertname: ") {
            alert = name;
        } else if let Some(expected) = line.strip_prefix("exp_alerts:") {
            let fires = expected.trim() != "[]";
            cases.push(Case { test: test.to_owned(), alert: alert.to_owned(), fires });
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_its_own_fields_and_no_others() {
        let rules = read_rules(
            "groups:\n  - name: one\n    rules:\n      # expr: none\n      - record: a:b\n        expr: sum(c)\n\n  - \
             name: two\n    interval: 2m\n    rules:\n      - alert: Bad\n        expr: |\n          a:b > 1\n          and d\n        \
             for: 1m\n        labels:\n          severity: page\n        annotations:\n          summary: \"It: is bad\"\n",
        );
        let [record, alert] = &rules[..] else { panic!("{rules:?}") };
        assert!(
            !record.is_alert() && record.name() == "a:b" && record.field("expr") == Some("sum(c)")
        );
        assert!(alert.is_alert() && alert.name() == "Bad");
        assert_eq!(alert.field("expr"), Some("a:b > 1\nand d\n"));
        assert_eq!(alert.field("severity"), Some("page"));
        assert_eq!(alert.field("summary"), Some("It: is bad"));
        assert_eq!(alert.field("runbook_url"), None);
    }

    #[test]
    fn cases_have_the_name_of_their_test() {
        let cases = read_cases(
            "tests:\n  - name: one\n    alert_rule_test:\n      - eval_time: 1m\n        alertname: A\n        exp_alerts:\n          \
             - exp_labels:\n  - name: two\n      - eval_time: 2m\n        alertname: A\n        exp_alerts: []\n",
        );
        let case = |test: &str, fires| Case { test: test.to_owned(), alert: "A".to_owned(), fires };
        assert_eq!(cases, [case("one", true), case("two", false)]);
    }
}
