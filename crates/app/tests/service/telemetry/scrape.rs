//! A parser of `/metrics`.

use std::collections::BTreeSet;

/// One response of `/metrics`.
pub(crate) struct Scrape(pub(crate) String);

impl Scrape {
    /// The names of all metrics as Prometheus stores them.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.series().map(|(name, ..)| name).collect()
    }

    /// The name, the unparsed labels and the value of every series.
    fn series(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        self.0.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            (name, labels.trim_end_matches('}'), value.parse().unwrap())
        })
    }

    /// The sum of the series with this name and these labels; `None` if there are none.
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

    /// Like [`Scrape::get`], but panics if there are none.
    pub(crate) fn is(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in:\n{}", self.0))
    }
}
