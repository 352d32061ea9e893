//! The table, and a response as one of its cells.

use std::time::{Duration, Instant};

use crate::support::Answer;

/// The cells of a row with the names of their columns.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Cells(pub(super) Vec<(String, String)>);

const PAGE: &str = include_str!("../../../../../docs/degraded-modes.md");

/// The rows of the table, split into cells.
fn table() -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    PAGE.lines().filter(|line| line.starts_with("| ")).map(cells).collect()
}

/// The documented row.
pub(super) fn row(broken: &str, how: &str) -> Cells {
    let table = table();
    let row = table.iter().find(|row| row[0] == broken && row[1] == how).unwrap();
    Cells(table[0].iter().cloned().zip(row.iter().cloned()).skip(2).collect())
}

impl Cells {
    /// What is broken and how, for every row.
    pub(super) fn rows() -> Vec<(String, String)> {
        table().into_iter().skip(1).map(|row| (row[0].clone(), row[1].clone())).collect()
    }
}

/// Every response arrives within this time, whatever is broken.
const QUICKLY: Duration = Duration::from_secs(3);

/// Sends the request and describes the response as a cell.
pub(super) fn cell(request: impl FnOnce() -> Answer) -> String {
    let began = Instant::now();
    let answer = request();
    let took = began.elapsed();
    assert!(took < QUICKLY, "{took:?} for {answer:?}");
    if answer.status == 503 {
        assert!(
            answer.header("retry-after").parse::<u32>().is_ok_and(|wait| wait >= 1),
            "{answer:?}"
        );
        assert!(answer.text.contains("잠시 후 다시 시도해 주세요."), "{answer:?}");
    }
    let is_old = answer.header("warning").starts_with("110 ");
    assert_eq!(is_old, !answer.header("age").is_empty(), "{answer:?}");
    let is_stale = answer.text.contains(r#""stale":true"#);
    match (answer.status, is_old, is_stale) {
        (status, false, false) => status.to_string(),
        (status, true, false) => format!("{status} old"),
        (status, _, true) => format!("{status} stale"),
    }
}
