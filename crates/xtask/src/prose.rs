//! `cargo xtask prose`: counts private turns of phrase in comments and Markdown.
//!
//! A measure, not a style guide: tokio, hyper, moka, fred and actix-web are below 0.5 per 1,000
//! words by it, so a tree above [`MOST`] does not read like other projects.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use test_support::workspace::root;
use test_support::{Doing as _, Outcome, failed};

#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Folders or files to measure [default: those of this repository, which must pass]
    paths: Vec<PathBuf>,
}

/// Phrases per 1,000 words that are accepted.
const MOST: f64 = 1.0;

/// What is measured by default.
const OURS: [&str; 7] =
    ["crates", "docs", "deploy", "migrations", "findings", "README.md", "loadtest/README.md"];

/// Words and phrases that have a plainer form, or a standard term of the field. `…` stands for one
/// to four words.
const PHRASES: &[&str] = &[
    "nobody",
    "somebody",
    "anybody",
    "everybody",
    "whoever",
    "whom",
    "told",
    "tell",
    "tells",
    "hear",
    "hears",
    "heard",
    "give back",
    "gives back",
    "given back",
    "gave back",
    "giving back",
    "goes on",
    "go on",
    "went on",
    "going on",
    "gone on",
    "under way",
    "at work",
    "of late",
    "anew",
    "now and then",
    "so many",
    "so often",
    "lets in",
    "let in",
    "letting in",
    "takes in",
    "take in",
    "taken in",
    "knows of",
    "know of",
    "as many as may",
    "as much as may",
    "as long as may",
    "as many as can",
    "may be asked",
    "what is there",
    "as many … as may",
    "as much … as may",
    "as many … as can",
    "becomes of",
    "become of",
    "on board",
    "a mistake of ours",
    "place in line",
    "line key",
    "hearer",
    "hearers",
    "untold",
    "testimony",
    "overrule",
    "overrules",
    "overruled",
    "departures",
    "catalogue",
    "catalogues",
    "yardstick",
    "yardsticks",
    "keeper",
    "keepers",
    "door",
    "doors",
];

/// Measures these paths, or checks the repository.
pub(crate) fn prose(arguments: &Arguments) -> Outcome {
    let mut sum = Count::default();
    let ours = || OURS.iter().map(|name| root().join(name)).collect();
    let paths: Vec<PathBuf> =
        if arguments.paths.is_empty() { ours() } else { arguments.paths.clone() };
    for path in &paths {
        let count = count_below(path)?;
        println!("{}: {count}", path.strip_prefix(root()).unwrap_or(path).display());
        sum = sum.plus(&count);
    }
    println!("all: {sum}");
    if arguments.paths.is_empty() && sum.rate() > MOST {
        return Err(failed(format!("prose: more than {MOST} per 1,000 words: {:?}", sum.found)));
    }
    Ok(())
}

/// What was found in some text.
#[derive(Debug, Default)]
struct Count {
    words: usize,
    found: Vec<String>,
}

impl Count {
    fn of(text: &str) -> Self {
        // A comma stands for every mark that a phrase does not cross.
        let words: Vec<String> = text
            .replace(['.', ',', ';', ':', '(', ')'], " , ")
            .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != ',')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let found = PHRASES.iter().flat_map(|phrase| {
            let phrase: Vec<&str> = phrase.split(' ').collect();
            let hits = (0..words.len()).filter(|at| begins_with(&words[*at..], &phrase)).count();
            std::iter::repeat_n(phrase.join(" "), hits)
        });
        let found = found.collect();
        Self { found, words: words.iter().filter(|word| *word != ",").count() }
    }

    fn plus(mut self, other: &Self) -> Self {
        self.words += other.words;
        self.found.extend(other.found.iter().cloned());
        self
    }

    fn rate(&self) -> f64 {
        1_000.0 * self.found.len() as f64 / self.words.max(1) as f64
    }
}

fn begins_with(words: &[String], phrase: &[&str]) -> bool {
    match phrase {
        [] => true,
        ["…", rest @ ..] => {
            (1..=4).any(|gap| words.get(gap..).is_some_and(|words| begins_with(words, rest)))
        }
        [first, rest @ ..] => words
            .split_first()
            .is_some_and(|(word, words)| word == first && begins_with(words, rest)),
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (words, found) = (self.words, self.found.len());
        write!(f, "{words} words, {found} phrases, {:.1} per 1,000", self.rate())
    }
}

fn count_below(path: &Path) -> Outcome<Count> {
    let doing = || format!("reading {}", path.display());
    if path.is_dir() {
        let mut sum = Count::default();
        for entry in fs::read_dir(path).doing(doing())? {
            let path = entry.doing(doing())?.path();
            if !path.ends_with("target") && !path.ends_with("results") {
                sum = sum.plus(&count_below(&path)?);
            }
        }
        return Ok(sum);
    }
    let read = || fs::read_to_string(path).doing(doing());
    Ok(match path.extension().and_then(|extension| extension.to_str()) {
        // The list above would count itself.
        Some("rs") if path.ends_with("xtask/src/prose.rs") => Count::default(),
        Some("rs") => Count::of(&comments(&read()?, "//")),
        Some("lua") => Count::of(&comments(&read()?, "--")),
        Some("md") => Count::of(&markdown(&read()?)),
        _ => Count::default(),
    })
}

/// The comments of a source file that have lines of their own, without code in backticks.
fn comments(text: &str, mark: &str) -> String {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(mark));
    without_code(
        &lines.map(|line| line.trim_start_matches(['/', '!'])).collect::<Vec<_>>().join(" "),
    )
}

/// The prose of a page, without blocks of code.
fn markdown(text: &str) -> String {
    let blocks = text.split("```").step_by(2);
    without_code(&blocks.collect::<Vec<_>>().join(" "))
}

fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join(" x ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_count_in_comments_and_prose_and_not_in_code() {
        let source =
            "//! Nobody is\n//! told.\nlet told = 1; // told\n/// `told` as many as may be\n";
        let count = Count::of(&comments(source, "//"));
        assert_eq!(count.found, ["nobody", "told", "as many as may"]);
        let page = "Goes on.\n```\nnobody\n```\n`whoever` went\non";
        assert_eq!(Count::of(&markdown(page)).found, ["goes on", "went on"]);
        let text = "As many questions are under way as may be.";
        assert_eq!(Count::of(text).found, ["under way", "as many … as may"]);
        assert_eq!(Count::of("How long it takes, in seconds.").found, [""; 0]);
        let long = "As many of the first five questions as may be.";
        assert_eq!(Count::of(long).found, [""; 0]);
        assert_eq!(Count::of("").rate(), 0.0);
    }
}
