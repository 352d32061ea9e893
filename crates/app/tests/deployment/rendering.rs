//! Renders the chart with Helm.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use test_support::{HelmTools, run_within};

/// The namespace of the rendered releases.
pub(crate) const NAMESPACE: &str = "tickets";

/// The name of the rendered releases.
pub(crate) const RELEASE: &str = "sale";

/// Time limit of one run of a program.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/helm/boxoffice")
}

/// The objects of one release.
#[derive(Clone)]
pub(crate) struct Release {
    objects: Vec<Value>,
}

impl Release {
    pub(crate) fn all(&self) -> &[Value] {
        &self.objects
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The only object of a kind.
    #[track_caller]
    pub(crate) fn one(&self, kind: &str) -> &Value {
        let found = self.of_kind(kind);
        assert_eq!(found.len(), 1, "objects of the kind {kind}");
        found[0]
    }

    /// The configuration file of the program.
    pub(crate) fn configuration(&self) -> &str {
        self.one("ConfigMap")["data"]["boxoffice.toml"].as_str().unwrap()
    }
}

/// Releases, and the files with their objects, each text once.
pub(crate) struct Rendered {
    pub(crate) releases: Vec<Release>,
    pub(crate) files: Vec<PathBuf>,
    _folder: TempDir,
}

/// Renders one release.
pub(crate) fn render(values: &Value) -> Release {
    render_all(std::slice::from_ref(values)).releases.remove(0)
}

/// Renders a release for each of the values.
pub(crate) fn render_all(values: &[Value]) -> Rendered {
    let tools = HelmTools::find().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let outputs = in_parallel(values.len(), |number| {
        let place = folder.path().join(number.to_string());
        fs::create_dir(&place).unwrap();
        let mut helm = template(&tools, &place, &values[number]);
        let (status, said) = run_within(helm.arg("--output-dir").arg(&place), LIMIT).unwrap();
        assert!(status.success(), "{}: {said}", values[number]);
        texts(&place.join("boxoffice/templates"))
    });
    let mut files: Vec<PathBuf> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for text in outputs.iter().flatten() {
        known.entry(text).or_insert_with(|| {
            files.push(folder.path().join(format!("{}.yaml", files.len())));
            fs::write(&files[files.len() - 1], text).unwrap();
            files.len() - 1
        });
    }
    let documents = tools.read_yaml(&files).unwrap();
    let objects = |texts: &Vec<String>| {
        texts.iter().flat_map(|text| documents[known[text.as_str()]].clone()).collect()
    };
    let releases = outputs.iter().map(|texts| Release { objects: objects(texts) }).collect();
    Rendered { releases, files, _folder: folder }
}

/// What Helm prints when it refuses the values.
#[track_caller]
pub(crate) fn refusal(values: &Value) -> String {
    let tools = HelmTools::find().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = run_within(&mut template(&tools, folder.path(), values), LIMIT).unwrap();
    assert!(!status.success(), "these values are accepted: {values}");
    said
}

fn template(tools: &HelmTools, folder: &Path, values: &Value) -> Command {
    let file = folder.join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let mut helm = tools.helm();
    helm.args(["template", RELEASE, "--namespace", NAMESPACE, "--kube-version", "1.37.0"]);
    helm.arg(chart()).arg("--values").arg(file);
    helm
}

/// Calls a function for each number below `count`, on all cores; the results are in order.
fn in_parallel<T: Send>(count: usize, call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let result = call(number);
                    done.lock().unwrap().push((number, result));
                }
            });
        }
    });
    let mut results = done.into_inner().unwrap();
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The texts of the files of a folder, in the order of their names.
fn texts(folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}
