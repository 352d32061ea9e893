//! Histories written by hand.

use std::collections::HashSet;
use std::time::Duration;

use contracts::history::{Findings, History, Rule, Rules, check};

/// A history from ops in the stored format, without ids and in milliseconds.
pub(crate) fn story<S: AsRef<str>>(ops: &[S]) -> History {
    let mut text = format!("history 1 of {} ops\n", ops.len());
    for (id, op) in ops.iter().enumerate() {
        let mut words: Vec<String> =
            op.as_ref().split_whitespace().map(ToOwned::to_owned).collect();
        let length = (words.get(words.len() - 2).is_some_and(|word| word == "let-in"))
            .then(|| words.len() - 1);
        for time in [Some(0), Some(1), length].into_iter().flatten() {
            if words[time] != "-" {
                words[time].push_str("000000");
            }
        }
        text.push_str(&format!("{id} {}\n", words.join(" ")));
    }
    History::read_from(text.as_bytes()).unwrap()
}

/// The rules that the history breaks.
pub(crate) fn broken(history: &History, rules: &Rules) -> HashSet<Rule> {
    let findings = check(history, rules).err();
    findings.iter().flat_map(Findings::found).map(|finding| finding.rule).collect()
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Checks that the history breaks exactly this rule.
#[track_caller]
pub(crate) fn breaks(rule: Rule, rules: &Rules, ops: &[&str]) {
    let history = story(ops);
    assert_eq!(broken(&history, rules), HashSet::from([rule]), "{:?}", check(&history, rules));
}

/// Checks that the history breaks no rule.
#[track_caller]
pub(crate) fn passes(rules: &Rules, ops: &[&str]) {
    if let Err(findings) = check(&story(ops), rules) {
        panic!("{findings}");
    }
}
