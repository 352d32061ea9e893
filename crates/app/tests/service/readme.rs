//! The tours of the README and of the guide: every command is sent, and the output shown has the
//! form of the response.

use serde_json::Value;

use crate::support::{Answer, TestApp};

const README: &str = include_str!("../../../../README.md");
const TOUR: &str = include_str!("../../../../docs/guide/tour.md");

/// A `curl` of the tour and the line printed below it.
struct Step {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    shows_status: bool,
    printed: String,
}

/// The words of a command line, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words
}

fn steps(page: &str) -> Vec<Step> {
    let lines: Vec<&str> = page.lines().collect();
    let commands = lines.iter().enumerate().filter(|(_, line)| line.starts_with("$ curl "));
    commands.map(|(n, line)| step(line.trim_start_matches("$ "), lines[n + 1])).collect()
}

fn step(command: &str, printed: &str) -> Step {
    let command = command.split(" | ").next().unwrap();
    let words = words(command);
    let after = |flag: &'static str| {
        words.windows(2).filter(move |pair| pair[0] == flag).map(|pair| pair[1].clone())
    };
    let url = words.iter().find(|word| word.starts_with("http://")).unwrap();
    let header = |text: String| {
        let (name, value) = text.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    Step {
        method: after("-X").next().unwrap_or_else(|| "GET".to_owned()),
        path: url.strip_prefix("http://localhost:8081/api/v1").unwrap().to_owned(),
        headers: after("-H").map(header).collect(),
        shows_status: words.iter().any(|word| word.contains("%{http_code}")),
        printed: printed.to_owned(),
    }
}

/// The names and kinds in a value, without the values.
fn form(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), form(value))).collect()
        }
        Value::Array(items) => items.iter().map(form).collect(),
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
    }
}

fn check(step: &Step, answer: &Answer) {
    if step.shows_status {
        assert_eq!(step.printed, answer.status.to_string(), "{}", step.path);
    } else if let Ok(printed) = serde_json::from_str::<Value>(&step.printed) {
        assert_eq!(form(&printed), form(&answer.json()), "{}", step.path);
        for stable in ["status", "code", "message", "num", "number", "position", "etaSeconds"] {
            assert_eq!(printed.get(stable), answer.json().get(stable), "{stable} of {}", step.path);
        }
    } else {
        assert!(answer.text.starts_with(&step.printed), "{}: {}", step.path, answer.text);
    }
}

/// Sends each command of a page, with the token that joining returned.
fn follow(page: &str, expected_steps: usize) {
    let app = TestApp::start(&[]);
    let mut token = String::new();
    let steps = steps(page);
    assert_eq!(steps.len(), expected_steps, "steps of the tour");
    for step in &steps {
        let headers: Vec<_> = step
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.replace("$T", &token)))
            .collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = app.request(&step.method, &step.path, &headers);
        check(step, &answer);
        if step.method == "POST" {
            token = answer.word("waitingToken");
        }
    }
}

#[test]
fn the_tour_shows_the_real_output() {
    follow(TOUR, 6);
}

#[test]
fn the_readme_shows_the_real_output() {
    follow(README, 3);
}
