//! The guides agree with the chart and with what was measured.

use serde_json::Value;
use test_support::HelmTools;

use crate::rendering::{chart, render};

const KUBERNETES: &str = include_str!("../../../../docs/guide/kubernetes.md");
const SCALING: &str = include_str!("../../../../docs/guide/scaling.md");
const LOAD_REPORT: &str = include_str!("../../../../docs/load-report.md");

#[test]
fn the_values_that_the_guides_show_can_be_rendered() {
    let tools = HelmTools::find().unwrap();
    for (page, text) in [("kubernetes.md", KUBERNETES), ("scaling.md", SCALING)] {
        let blocks: Vec<&str> = text.split("```yaml\n").skip(1).collect();
        assert_eq!(blocks.len(), 1, "examples of {page}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("values.yaml");
        std::fs::write(&file, blocks[0].split("```").next().unwrap()).unwrap();
        render(&tools.read_yaml(&[file]).unwrap()[0][0]);
    }
}

/// The table of the stop has the times of the values.
#[test]
fn the_guide_has_the_times_of_a_stop() {
    let values = HelmTools::find().unwrap().read_yaml(&[chart().join("values.yaml")]).unwrap();
    let drain = &values[0][0]["drain"];
    let seconds = |key: &str| drain[key].as_u64().unwrap();
    let (before, delay) = (seconds("preStop"), seconds("delay"));
    let (shutdown, margin) = (seconds("shutdown"), seconds("margin"));
    for part in [
        format!("| {before} s | the signal"),
        format!("| {} s | the listener closes", before + delay),
        format!("| {} s | the kubelet would kill it", before + delay + shutdown + margin),
        format!("`drain.preStop`, {before} s"),
        format!("`drain.delay`, {delay} s"),
        format!("`drain.shutdown`, at most {shutdown} s"),
        format!("`drain.margin`, {margin} s"),
    ] {
        assert!(KUBERNETES.contains(&part), "{part}");
    }
}

#[test]
fn the_figures_of_the_scaling_guide_are_in_the_load_report() {
    let section = SCALING.split("## ").find(|part| part.starts_with("What one of each")).unwrap();
    let figures: Vec<&str> = section
        .split(|c: char| !c.is_ascii_digit() && c != ',')
        .map(|word| word.trim_matches(','))
        .filter(|word| word.contains(','))
        .collect();
    assert!(figures.len() > 8, "{figures:?}");
    for figure in figures {
        let plain = figure.replace(',', "");
        let mut words = LOAD_REPORT.split(|c: char| !c.is_ascii_digit());
        assert!(words.any(|word| word == plain), "the load report has no {figure}");
    }
}

#[test]
fn the_scaling_guide_has_the_thresholds_of_the_chart() {
    let values = HelmTools::find().unwrap().read_yaml(&[chart().join("values.yaml")]).unwrap();
    let scaling = &values[0][0]["autoscaling"];
    let number = |key: &str| scaling[key].as_u64().unwrap();
    let thousands = number("requestsPerSecond") / 1000;
    assert_eq!(number("requestsPerSecond") % 1000, 0);
    assert!(SCALING.contains(&format!("| {thousands},000: less than half of")));
    assert!(SCALING.contains(&format!("| {} % of the two requested cores", number("cpuPercent"))));
    assert_eq!(scaling["sales"], Value::Array(Vec::new()));
}
