//! Imports among sibling modules, and the cycles in them.

use std::collections::{BTreeMap, BTreeSet};

use super::resolve::Import;

/// For each parent module, the imports between its children, with one example of each.
#[derive(Debug, Default)]
pub(super) struct Graph {
    parents: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
}

impl Graph {
    /// Adds an import, unless one of the two modules is an ancestor of the other.
    pub(super) fn add(&mut self, import: &Import) {
        let (from, to) = (&import.from, &import.to);
        let shared = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        if let (Some(one), Some(other)) = (from.get(shared), to.get(shared)) {
            let children = self.parents.entry(from[..shared].join("::")).or_default();
            let example = format!("{} uses {}", from.join("::"), import.path);
            children.entry(one.clone()).or_default().entry(other.clone()).or_insert(example);
        }
    }

    /// Describes each cycle.
    pub(super) fn cycles(&self) -> Vec<String> {
        self.parents.iter().flat_map(|(parent, children)| cycles_among(parent, children)).collect()
    }
}

type Children = BTreeMap<String, BTreeMap<String, String>>;

fn cycles_among(parent: &str, children: &Children) -> Vec<String> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        children.keys().map(|child| (child.as_str(), reachable(child, children))).collect();
    let mut found = BTreeSet::new();
    for (child, its) in &reached {
        let cycle: BTreeSet<&str> = its
            .iter()
            .copied()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(child)))
            .collect();
        if cycle.len() > 1 {
            found.insert(cycle);
        }
    }
    found.into_iter().map(|cycle| describe(parent, &cycle, children)).collect()
}

/// The modules reachable from a child by imports.
fn reachable<'a>(child: &'a str, children: &'a Children) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![child]);
    while let Some(from) = next.pop() {
        for to in children.get(from).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(to.as_str()) {
                next.push(to);
            }
        }
    }
    reached
}

fn describe(parent: &str, cycle: &BTreeSet<&str>, children: &Children) -> String {
    let place = if parent.is_empty() { "the crate" } else { parent };
    let names: Vec<&str> = cycle.iter().copied().collect();
    let mut text = format!("in {place}: {}", names.join(", "));
    for from in cycle {
        for (to, example) in children.get(*from).into_iter().flatten() {
            if cycle.contains(to.as_str()) {
                text += &format!("\n    {from} -> {to}: {example}");
            }
        }
    }
    text
}
