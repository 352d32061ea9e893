//! The guide: its files are imported, and its output is that of the program.

use super::Catalog;
use crate::program::text;

const GUIDE: &str = include_str!("../../../../../docs/guide/import.md");

/// The blocks of code in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = GUIDE.split(start.as_str()).skip(1);
    blocks.map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[test]
fn the_guide_shows_the_real_output() {
    let catalog = Catalog::new();
    let [concerts, faulty] = blocks("csv")[..] else { panic!("two files in CSV") };
    let [json] = blocks("json")[..] else { panic!("a file in JSON") };
    for (name, content) in [("concerts.csv", concerts), ("faulty.csv", faulty), ("c.json", json)] {
        catalog.file(name, content);
    }
    let folder = format!("{}/", catalog.folder.path().display());
    let shown = blocks("console");
    assert_eq!(shown.len(), 3, "commands of the guide");
    for block in shown {
        let (command, printed) = block.split_once('\n').unwrap();
        let words: Vec<&str> =
            command.strip_prefix("$ boxoffice import ").unwrap().split(' ').collect();
        let output = catalog.import_with(&catalog.folder.path().join(words[0]), &words[1..]);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(said.replace(&folder, ""), printed, "{command}");
    }
    let output = catalog.import_with(&catalog.folder.path().join("c.json"), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let count = "SELECT (SELECT count(*) FROM concerts), (SELECT sum(seats_left) FROM schedules)";
    assert_eq!(catalog.database.sql(count).unwrap(), "3|3650");
}
