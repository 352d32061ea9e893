//! Every fault is one line, and nothing is imported.

use super::{Catalog, HEADER, csv, date};
use crate::program::{boxoffice, text};

impl Catalog {
    /// Imports a faulty file, and checks the lines without its name.
    #[track_caller]
    fn check_refused(&self, name: &str, content: impl AsRef<[u8]>, expected: &[&str]) {
        let before = self.content();
        let file = self.file(name, content);
        let output = self.import_with(&file, &[]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        let start = format!("boxoffice: {}: ", file.display());
        let lines: Vec<&str> =
            said.lines().map(|line| line.strip_prefix(&start).unwrap()).collect();
        let (last, faults) = lines.split_last().unwrap();
        assert_eq!(faults, expected);
        assert_eq!(*last, format!("nothing was imported; faults: {}", expected.len()));
        assert_eq!(self.content(), before);
    }
}

#[test]
fn each_faulty_field_is_named_with_its_line_and_column() {
    let catalog = Catalog::new();
    let good = date("7,Seven,Busan", 71, 1, "3");
    let with = |column: usize, value: &str| {
        let mut fields: Vec<&str> = good.split(',').collect();
        fields[column] = value;
        fields.join(",")
    };
    let long = "x".repeat(301);
    let id = "is a whole number from 1 to 9223372036854775807, in decimal digits without sign or \
              leading zero";
    let (concert, schedule) =
        (format!("concert_id: a concert id {id}"), format!("schedule_id: a schedule id {id}"));
    let time = |column: &str, value: &str| {
        format!(
            "{column}: \"{value}\" is not a time with its offset from UTC, such as \
             2026-05-04T20:00:00+09:00"
        )
    };
    let seats =
        |value: &str| format!("seats: \"{value}\" is not a number of seats, from 0 to 100000");
    let zone = "2031-05-01T20:00:00+09:00[Asia/Seoul]";
    for (row, expected) in [
        (with(0, ""), concert.clone()),
        (with(0, "-7"), concert.clone()),
        (with(0, "9223372036854775808"), concert),
        (with(1, " "), "title: a concert needs a title".to_owned()),
        (with(1, &long), "title: the text has more than 300 characters".to_owned()),
        (with(1, "a\u{0}b"), "title: the text has a control character".to_owned()),
        (with(2, &long), "place: the text has more than 300 characters".to_owned()),
        (with(3, "7.5"), schedule.clone()),
        (with(3, ""), schedule),
        (with(4, "tomorrow"), time("performance_at", "tomorrow")),
        (with(4, "2031-05-01T20:00"), time("performance_at", "2031-05-01T20:00")),
        (with(4, "2031-02-30T20:00Z"), time("performance_at", "2031-02-30T20:00Z")),
        (with(4, zone), time("performance_at", zone)),
        (
            with(4, "1969-12-31T23:59:59Z"),
            "performance_at: the year must be from 1970 to 9998".into(),
        ),
        (
            with(4, "2031-05-01T20:00:00.0000001Z"),
            "performance_at: a time has at most six digits after the second".into(),
        ),
        (with(5, ""), time("sale_opens_at", "")),
        (with(6, "2025-12-31T00:00Z"), "sale_closes_at: a sale must close after it opens".into()),
        (with(7, "-3"), seats("-3")),
        (with(7, "100001"), seats("100001")),
        (with(7, "1e3"), seats("1e3")),
        (
            with(7, &"9".repeat(60)),
            "seats: \"9999999999999999999999999999999999999999…\" is not a number of seats, \
             from 0 to 100000"
                .into(),
        ),
    ] {
        catalog.check_refused("a.csv", csv(&[&row]), &[&format!("line 2, {expected}")]);
    }
    catalog.check_refused(
        "a.csv",
        csv(&["7,Seven"]),
        &["line 2: the row has 2 fields instead of 8"],
    );
    let latin = [HEADER.as_bytes(), b"\n7,caf\xe9,,,,,,\n"].concat();
    catalog.check_refused("a.csv", latin, &["line 2, title: the text is not UTF-8"]);
}

#[test]
fn lines_are_counted_across_quotes_blank_lines_and_other_line_ends() {
    let catalog = Catalog::new();
    for end in ["\n", "\r\n"] {
        let rows =
            [HEADER, "", "7,\"two\nlines\",,,,,,", "", "", "8,,,,,,,", "\"9\",\" \",,,,,,", ""];
        let expected =
            ["line 7, title: a concert needs a title", "line 8, title: a concert needs a title"];
        catalog.check_refused("a.csv", rows.join(end), &expected);
        let without_end = rows.join(end);
        catalog.check_refused("a.csv", without_end.trim_end(), &expected);
    }
}

#[test]
fn a_faulty_header_or_an_empty_file_is_refused() {
    let catalog = Catalog::new();
    for empty in ["", "\n\n", "\u{feff}"] {
        catalog.check_refused("a.csv", empty, &["line 1: the file is empty"]);
    }
    catalog.check_refused("a.csv", HEADER, &["line 1: there is no concert"]);
    let other = HEADER.replace("seats", "sets").replace("place", "title");
    let expected = [
        "line 1: the column title is there twice",
        "line 1: there is no column \"sets\"",
        "line 1: the column place is missing",
        "line 1: the column seats is missing",
    ];
    catalog.check_refused("a.csv", other, &expected);
    let open = format!("{HEADER}\n7,\"{}", "open ".repeat(20_000));
    let too_long = "line 2: an entry has more than 65536 bytes: is a quote or bracket open?";
    catalog.check_refused("a.csv", open, &[too_long]);
}

#[test]
fn rows_that_contradict_each_other_are_refused() {
    let catalog = Catalog::new();
    let rows = [
        date("7,Seven,Busan", 71, 1, "3"),
        date("8,Eight,Busan", 71, 2, "3"),
        date("7,Sieben,Busan", 72, 2, "3"),
        date("7,Seven,Seoul", 73, 1, "3"),
        date("7,Seven,Busan", 74, 31, "-1"),
    ];
    let expected = [
        "line 3, schedule_id: date 71 is already on line 2",
        "line 4, title: concert 7 has another title on line 2",
        "line 5, performance_at: concert 7 already has a date at this time on line 2",
        "line 5, place: concert 7 has another place on line 2",
        "line 6, seats: \"-1\" is not a number of seats, from 0 to 100000",
    ];
    catalog.check_refused("a.csv", csv(&rows.each_ref().map(String::as_str)), &expected);
}

#[test]
fn rows_that_contradict_the_database_are_refused() {
    let catalog = Catalog::new();
    let rows = [date("7,Seven,Busan", 71, 1, "3"), date("7,Seven,Busan", 72, 2, "3")];
    catalog.import(&rows.each_ref().map(String::as_str), &[]);
    catalog.database.sql("UPDATE seats SET state = 'held' WHERE schedule_id = 71").unwrap();
    let rows = [
        date("8,Eight,Busan", 72, 2, "3"),
        date("7,Seven,Busan", 73, 2, "3"),
        date("7,Seven,Busan", 71, 1, "1"),
    ];
    let [other, twin, fewer] = rows.each_ref().map(String::as_str);
    catalog.check_refused(
        "a.csv",
        csv(&[other]),
        &["line 2, schedule_id: date 72 belongs to concert 7 in the database"],
    );
    catalog.check_refused(
        "a.csv",
        csv(&[twin]),
        &["line 2, performance_at: concert 7 has date 72 at this time in the database"],
    );
    catalog.check_refused(
        "a.csv",
        csv(&[fewer]),
        &["line 2, seats: seats above number 1 that are held or sold: 2"],
    );
    // A rule that only this database has.
    let rule = "ALTER TABLE concerts ADD CONSTRAINT ours CHECK (place <> 'Seoul')";
    catalog.database.sql(rule).unwrap();
    let before = catalog.content();
    let file = catalog.file("a.csv", csv(&["9,Nine,Seoul,,,,,"]));
    let output = catalog.import_with(&file, &["--dry-run"]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("violates check constraint \"ours\""), "{said}");
    assert_eq!(catalog.content(), before);
}

#[test]
fn only_the_first_twenty_faults_are_shown() {
    let catalog = Catalog::new();
    let rows = vec!["7,,,,,,,"; 25];
    let output = catalog.import_with(&catalog.file("a.csv", csv(&rows)), &[]);
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!(lines.len(), 22);
    assert!(
        lines[19].contains("line 21, title") && lines[20].ends_with(": and 5 more"),
        "{lines:?}"
    );
    assert!(lines[21].ends_with("nothing was imported; faults: 25"), "{lines:?}");
}

#[test]
fn faulty_json_is_refused_with_the_line() {
    let catalog = Catalog::new();
    let concert = |date: &str| {
        format!("{{\"concert_id\": 7, \"title\": \"a\", \"place\": \"b\",\n\"dates\": [{date}]}}")
    };
    let date = |seats: &str| {
        format!(
            "{{\"schedule_id\": 71, \"performance_at\": \"2031-05-01T20:00Z\",\n\
             \"sale_opens_at\": \"2031-01-01T00:00Z\", \"sale_closes_at\": \"2031-02-01T00:00Z\",\n\
             \"seats\": {seats}}}"
        )
    };
    let bare = concert("");
    let huge = format!("[{}]", concert(&format!("\"{}\"", "x".repeat(1 << 20))));
    for (content, expected) in [
        (String::new(), "line 1: the file is empty"),
        ("{}".to_owned(), "line 1: an array of concerts is expected"),
        ("[]".to_owned(), "line 1: there is no concert"),
        ("[7]".to_owned(), "line 1: a concert is expected"),
        (format!("[\n{bare},\n]"), "line 4: a concert is expected after the comma"),
        (format!("[{bare}\n{bare}]"), "line 3: a comma or ] is expected"),
        (format!("[{bare}\n"), "line 3: the array is not closed"),
        (format!("[{bare}]\n{{"), "line 3: there is more after the end of the array"),
        (format!("[{}", &bare[..20]), "line 1: the last concert is not closed"),
        (huge, "line 1: an entry has more than 1048576 bytes: is a quote or bracket open?"),
        (format!("[\n{}]", concert("7")), "line 3: invalid type: integer `7`, expected a date"),
        (format!("[\n{}]", concert(&(date("1") + ","))), "line 5: trailing comma"),
        (
            format!("[{}]", bare.replace("\"title\"", "\"tilte\"")),
            "line 1: unknown field `tilte`, expected one of `concert_id`, `title`, `place`, `dates`",
        ),
        (format!("[{}]", bare.replace("\"title\": \"a\", ", "")), "line 2: missing field `title`"),
        (format!("[{}]", bare.replace('7', "\"7\"")), "line 1, concert_id: a number is expected"),
        (format!("[{}]", bare.replace("\"a\"", "7")), "line 1, title: a text is expected"),
        (format!("[\n{}]", concert(&date("1e999"))), "line 5: number out of range"),
        (
            format!("[\n{}]", concert(&date("-1"))),
            "line 2, dates[0].seats: \"-1\" is not a number of seats, from 0 to 100000",
        ),
        (
            format!("[{}]", concert(&[date("1"), date("2")].join(","))),
            "line 1, dates[1].schedule_id: date 71 is already on line 1",
        ),
    ] {
        catalog.check_refused("a.json", content, &[expected]);
    }
    // The concerts after a faulty one are checked too.
    let two = format!("[{},\n{}]", bare.replace('7', "0.5"), bare.replace("\"a\"", "\"\""));
    let id = "line 1, concert_id: a concert id is a whole number from 1 to 9223372036854775807, \
              in decimal digits without sign or leading zero";
    catalog.check_refused("a.json", two, &[id, "line 3, title: a concert needs a title"]);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_before_the_database_is_used() {
    let catalog = Catalog::new();
    let folder = catalog.folder.path().to_str().unwrap();
    let gone = format!("{folder}/gone.csv");
    let large = catalog.file("large.csv", "");
    // A hole, which takes no room.
    std::fs::File::options().write(true).open(&large).unwrap().set_len((1 << 30) + 1).unwrap();
    let url = ["--set", "postgres.url=postgres://nobody@127.0.0.1:1/nothing"];
    for (arguments, code, expected) in [
        (&[gone.as_str()][..], 1, "gone.csv: cannot be read: No such file or directory"),
        (&[folder, "--format", "csv"], 1, "is not a file"),
        (&[large.to_str().unwrap()], 1, "has more than 1073741824 bytes: import it in parts"),
        (&["concerts.txt"], 2, "the file's name does not end with .csv or .json: pass --format"),
    ] {
        let output = boxoffice(&[&["import"][..], arguments, &url].concat(), &[]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(code), 1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
