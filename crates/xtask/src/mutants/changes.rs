//! Finds the changed lines of the queue with git.

use std::path::Path;
use std::process::{Command, Output};

use test_support::{Doing as _, Outcome, failed};

/// The mutated code.
pub(super) const QUEUE: &str = "crates/domain/src/queue";

/// A diff format that does not depend on git's settings.
const DIFF: [&str; 6] =
    ["diff", "--no-color", "--no-ext-diff", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/"];

/// The changes in the queue.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Changes {
    /// These lines changed.
    Lines {
        /// The commit they differ from.
        base: String,
        /// The differences, in git's format.
        diff: String,
    },
    /// There is no earlier commit to compare with.
    Unknown {
        /// The reason.
        why: &'static str,
    },
}

impl Changes {
    /// The lines that differ from the point at which this branch left main or, on main, from the
    /// previous commit.
    pub(super) fn of_the_last_commits(repository: &Path) -> Outcome<Self> {
        let Some(head) = head(repository) else {
            return Ok(Self::Unknown { why: "this is not a git repository with a commit" });
        };
        let main = ["refs/remotes/origin/main", "refs/heads/main"];
        let main = main.into_iter().find_map(|name| commit(repository, name));
        let fork = main.and_then(|main| answer(repository, &["merge-base", &main, &head]));
        match fork.filter(|fork| *fork != head).or_else(|| previous(repository)) {
            Some(base) => Ok(Self::Lines { diff: diff(repository, &base)?, base }),
            None => Ok(Self::Unknown { why: "git has no earlier commit" }),
        }
    }
}

/// The id of the commit that is checked out.
pub(super) fn head(repository: &Path) -> Option<String> {
    commit(repository, "HEAD")
}

/// The previous commit. A shallow clone fetches it first.
fn previous(repository: &Path) -> Option<String> {
    commit(repository, "HEAD~1").or_else(|| {
        let is_shallow = answer(repository, &["rev-parse", "--is-shallow-repository"])? == "true";
        if is_shallow {
            println!("mutants: this clone is shallow; fetching the previous commit");
            answer(repository, &["fetch", "--quiet", "--deepen=1"]);
        }
        commit(repository, "HEAD~1")
    })
}

/// The diff of the queue between a commit and the working tree.
pub(super) fn diff(repository: &Path, base: &str) -> Outcome<String> {
    let mut diff = said(repository, &[&DIFF[..], &[base, "--", QUEUE]].concat(), &[0])?;
    let new = said(repository, &["ls-files", "--others", "--exclude-standard", "--", QUEUE], &[0])?;
    for file in new.lines() {
        // Exit code 1 means that the files differ.
        diff += &said(
            repository,
            &[&DIFF[..], &["--no-index", "--", "/dev/null", file]].concat(),
            &[1],
        )?;
    }
    Ok(diff)
}

fn commit(repository: &Path, name: &str) -> Option<String> {
    answer(repository, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
}

/// The output of git, if it succeeds.
fn answer(repository: &Path, arguments: &[&str]) -> Option<String> {
    let output = git(repository, arguments).ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The output of git; an exit code outside `codes` is a failure.
fn said(repository: &Path, arguments: &[&str], codes: &[i32]) -> Outcome<String> {
    let output = git(repository, arguments)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.code().is_some_and(|code| codes.contains(&code)) {
        Ok(text(&output.stdout))
    } else {
        Err(failed(format!("git {}: {}", arguments.join(" "), text(&output.stderr).trim())))
    }
}

fn git(repository: &Path, arguments: &[&str]) -> Outcome<Output> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(["-c", "core.quotePath=false"]).args(arguments);
    command.output().doing("starting git")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A repository in a temporary folder.
    struct Repository {
        folder: TempDir,
    }

    impl Repository {
        fn new() -> Self {
            let repository = Self { folder: tempfile::tempdir().unwrap() };
            repository.git(&["init", "--quiet", "--initial-branch=main"]);
            repository
        }

        fn path(&self) -> &Path {
            self.folder.path()
        }

        #[track_caller]
        fn git(&self, arguments: &[&str]) {
            let author = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgSign=false"];
            said(self.path(), &[&author[..], arguments].concat(), &[0]).unwrap();
        }

        /// Writes a line to a file of the queue.
        fn write(&self, file: &str, line: &str) {
            let path = self.path().join(QUEUE).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{line}\n")).unwrap();
        }

        /// Writes and commits; returns the id.
        fn commit(&self, file: &str, line: &str) -> String {
            self.write(file, line);
            self.git(&["add", "--all"]);
            self.git(&["commit", "--quiet", "--message", line]);
            head(self.path()).unwrap()
        }
    }

    #[track_caller]
    fn lines(repository: &Path) -> (String, String) {
        match Changes::of_the_last_commits(repository).unwrap() {
            Changes::Lines { base, diff } => (base, diff),
            Changes::Unknown { why } => panic!("{why}"),
        }
    }

    #[test]
    fn on_the_main_branch_lines_are_compared_with_the_previous_commit() {
        let repository = Repository::new();
        repository.commit("a.rs", "one");
        let second = repository.commit("a.rs", "two");
        repository.commit("a.rs", "three");
        let (base, diff) = lines(repository.path());
        assert_eq!(base, second);
        assert!(diff.contains("+++ b/crates/domain/src/queue/a.rs"), "{diff}");
        assert!(diff.contains("-two\n+three"), "{diff}");
    }

    #[test]
    fn on_a_branch_lines_are_compared_with_where_it_left_the_main_one() {
        let repository = Repository::new();
        let fork = repository.commit("a.rs", "one");
        repository.git(&["checkout", "--quiet", "-b", "branch"]);
        repository.commit("a.rs", "two");
        repository.commit("a.rs", "three");
        let (base, diff) = lines(repository.path());
        assert_eq!(base, fork);
        assert!(diff.contains("-one\n+three"), "{diff}");
    }

    #[test]
    fn edits_that_are_not_committed_and_new_files_count_as_changed() {
        let repository = Repository::new();
        repository.commit("a.rs", "one");
        repository.commit("../elsewhere.rs", "one");
        assert_eq!(lines(repository.path()).1, "", "a change of another folder");
        repository.write("a.rs", "edited");
        repository.write("new.rs", "new");
        let (_, diff) = lines(repository.path());
        assert!(diff.contains("-one\n+edited"), "{diff}");
        assert!(diff.contains("+++ b/crates/domain/src/queue/new.rs"), "{diff}");
    }

    #[test]
    fn a_shallow_clone_fetches_the_commit_it_lacks() {
        let origin = Repository::new();
        let first = origin.commit("a.rs", "one");
        origin.commit("a.rs", "two");
        let folder = tempfile::tempdir().unwrap();
        let clone: PathBuf = folder.path().join("clone");
        let url = format!("file://{}", origin.path().display());
        let target = clone.to_str().unwrap();
        said(folder.path(), &["clone", "--quiet", "--depth=1", &url, target], &[0]).unwrap();
        assert_eq!(commit(&clone, "HEAD~1"), None);
        let (base, diff) = lines(&clone);
        assert_eq!(base, first);
        assert!(diff.contains("-one\n+two"), "{diff}");
    }

    #[test]
    fn without_an_earlier_commit_every_line_counts_as_changed() {
        let folder = tempfile::tempdir().unwrap();
        let unknown = Changes::of_the_last_commits(folder.path()).unwrap();
        assert!(
            matches!(unknown, Changes::Unknown { why } if why.contains("not a git repository"))
        );

        let repository = Repository::new();
        repository.commit("a.rs", "one");
        let unknown = Changes::of_the_last_commits(repository.path()).unwrap();
        assert!(matches!(unknown, Changes::Unknown { why } if why.contains("no earlier commit")));
    }
}
