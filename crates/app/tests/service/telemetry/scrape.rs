//! `/metrics`, read.

use std::collections::BTreeSet;

/// One answer of `/metrics`.
pub(crate) struct Scrape(pub(crate) String);

impl Scrape {
    /// The names there are, as Prometheus would store them.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.series().map(|(name, ..)| name).collect()
    }

    /// Name, labels as they are written, and value of every series.
    fn series(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        self.0.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            (name, labels.trim_end_matches('}'), value.parse().unwrap())
        })
    }

    /// The sum of the series of this name that have these labels; nothing where there is none.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let matches = |all: &str| wanted.iter().all(|label| all.split(',').any(|one| one == label));
        let values: Vec<f64> = self
            .series()
            .filter(|(of, all, _)| *of == name && matches(all))
            .map(|(.., value)| value)
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// The same, where there must be one.
    pub(crate) fn is(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in:\n{}", self.0))
    }
}
