//! Detects ratios that are worse than the committed ones.

use super::measure::Measurement;
use super::report::{BASELINE, Results};
use test_support::{Outcome, failed};

/// A measurement then and now: lowest, median and highest ratio by the server's processor time,
/// over the middle half of the rounds.
#[derive(Debug, PartialEq)]
struct Change {
    target: String,
    connections: u32,
    then: (f64, f64, f64),
    now: (f64, f64, f64),
}

impl Change {
    /// Worse beyond the spread: the best ratio now is below the worst one then.
    fn is_worse(&self) -> bool {
        self.now.2 < self.then.0
    }

    fn line(&self) -> String {
        let figures =
            |(low, median, high): (f64, f64, f64)| format!("{median:.2} ({low:.2} to {high:.2})");
        let verdict = if self.is_worse() { "WORSE" } else { "as before" };
        let Self { target, connections, then, now } = self;
        format!(
            "{target}, {connections} connections: {} then, {} now: {verdict}",
            figures(*then),
            figures(*now)
        )
    }
}

/// Prints every measurement then and now, by processor time, which does not depend on how busy the
/// generator was.
///
/// # Errors
/// If a measurement is worse beyond its spread, or is missing now.
pub(super) fn check(then: &Results, now: &Results) -> Outcome {
    let own = |m: &Measurement| m.per_cpu_second;
    let kinds = then.kinds().into_iter().filter(|(target, _)| *target != BASELINE);
    let changes = kinds.map(|(target, connections)| Change {
        target: target.to_owned(),
        connections,
        then: then.usual_ratios(own, target, BASELINE, connections),
        now: now.usual_ratios(own, target, BASELINE, connections),
    });
    verdict(&changes.collect::<Vec<_>>())
}

fn verdict(changes: &[Change]) -> Outcome {
    changes.iter().for_each(|change| println!("{}", change.line()));
    let named = |what: &str, worse: Vec<&Change>| {
        let first = worse.first()?;
        Some(failed(format!("{} measurements {what}, such as {}", worse.len(), first.line())))
    };
    let gone = changes.iter().filter(|change| change.now.1.is_nan()).collect();
    let worse = changes.iter().filter(|change| change.is_worse()).collect();
    let wrong =
        named("are missing", gone).or_else(|| named("are worse beyond their spread", worse));
    match wrong {
        _ if changes.is_empty() => Err(failed("there are no committed measurements")),
        Some(error) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(then: (f64, f64, f64), now: (f64, f64, f64)) -> Change {
        Change { target: "a".to_owned(), connections: 64, then, now }
    }

    #[test]
    fn a_ratio_is_worse_only_below_the_whole_old_spread() {
        let then = (0.50, 0.55, 0.60);
        verdict(&[change(then, (0.40, 0.45, 0.51))]).unwrap();
        let error = verdict(&[change(then, then), change(then, (0.40, 0.45, 0.49))]).unwrap_err();
        assert!(
            error.to_string().starts_with("1 measurements are worse beyond their spread"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_measurement_fails_the_check() {
        let nothing = (f64::NAN, f64::NAN, f64::NAN);
        assert!(verdict(&[change((0.5, 0.6, 0.7), nothing)]).is_err());
        assert!(verdict(&[]).is_err());
    }
}
