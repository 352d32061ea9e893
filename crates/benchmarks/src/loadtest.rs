//! `cargo xtask loadtest SCENARIO KIND`: runs a k6 scenario on its own services, or against a
//! running one.
//!
//! A folder keeps k6's counts, the resources used, and for the sale the recorded answers and the
//! verdict.

pub(crate) mod hostile;
pub(crate) mod resources;
mod result_database;
pub(crate) mod saved_run;
pub(crate) mod scenario;
mod service_with_stores;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use clap::Args;
use test_support::{Doing as _, K6Binary, Outcome, failed, find_or_install_k6};

use self::hostile::Hostile;
use self::resources::Watch;
use self::result_database::Sink;
use self::saved_run::{CONSOLE, DASHBOARD, RECORD, RESOURCES, Run, SUMMARY, Verdict};
use self::scenario::{Kind, Scenario};
use self::service_with_stores::{On, Stack};
use crate::affinity;
use crate::environment::Environment;
use test_support::workspace::{build_release, root, show};

/// The arguments of `cargo xtask loadtest`.
#[derive(Args)]
pub struct Arguments {
    /// What people do
    #[arg(value_enum)]
    scenario: Scenario,
    /// How many of them, and when they arrive
    #[arg(value_enum, default_value = "smoke")]
    kind: Kind,
    /// Where the service keeps its data
    #[arg(long, value_enum, default_value = "embedded")]
    on: On,
    /// Aim at a running service, such as http://localhost:8081/api/v1, and start none
    #[arg(long, conflicts_with_all = ["on", "set"])]
    url: Option<String>,
    /// Sets one key of the service
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Sets a variable of the scenarios, such as RATE=200; see loadtest/README.md
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Keeps this many hostile connections open during the run, from a separate address
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 0)]
    hostile: u32,
    /// Also send k6's measurements to a real server of this kind, and check them there afterwards
    #[arg(long, value_enum)]
    into: Option<Sink>,
    /// Keep the results in the repository, where `cargo xtask report` finds them
    #[arg(long)]
    save: bool,
    /// The folder of the results, instead of one named after the run
    #[arg(long, value_name = "NAME", value_parser = name)]
    to: Option<String>,
    /// The service's program; the release build by default
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Folder of the committed runs, relative to the repository.
pub(crate) const SAVED: &str = "loadtest/results/runs";
const UNSAVED: &str = "target/loadtest";

/// Runs it.
///
/// # Errors
/// If a server or k6 fails, a threshold is crossed, or the sale was not fair.
pub fn loadtest(arguments: &Arguments) -> Outcome {
    let k6 = find_or_install_k6(|line| println!("{line}"))?;
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None if arguments.url.is_some() => PathBuf::new(),
        None => build_release()?,
    };
    let folder = arguments.folder()?;
    let stack = arguments.stack(&program)?;
    let store = arguments.into.map(Sink::start).transpose()?;
    let url = stack.as_ref().map_or_else(|| arguments.url.clone().unwrap_or_default(), Stack::url);
    let mut command = arguments.command(&k6, &url, &folder);
    store.iter().for_each(|store| store.notify(&mut command));

    let hostile =
        (arguments.hostile > 0).then(|| Hostile::begin(arguments.hostile, &url)).transpose()?;
    println!("$ {}", show(&command));
    let process = Killed(command.spawn().doing("starting k6")?);
    let watch = Watch::begin(stack.as_ref().map(Stack::id), process.0.id(), folder.join(RESOURCES));
    let is_content = process.ended()?;
    let resources = watch.end()?;
    let hostile = hostile.map(Hostile::end).transpose()?;
    let reported = store.map(|store| store.found(&folder)).transpose()?;
    let run = Run {
        scenario: arguments.scenario,
        kind: arguments.kind,
        environment: Environment { tools: vec![k6.version().to_owned()], ..Environment::now(&[]) },
        topology: stack.as_ref().map_or_else(|| url.clone(), Stack::topology),
        settings: stack.as_ref().map(Stack::settings).unwrap_or_default(),
        config_hash: stack.as_ref().map(Stack::config_hash).transpose()?,
        variables: arguments.env.clone(),
        is_content,
        resources,
        hostile,
        sink: reported,
        verdict: arguments.verdict(&folder)?,
    };
    run.keep(&folder)?;
    println!(
        "\n{run}\nresults are in {}",
        folder.strip_prefix(root()).unwrap_or(&folder).display()
    );
    run.judge()
}

impl Arguments {
    /// Makes an empty folder for the results.
    fn folder(&self) -> Outcome<PathBuf> {
        let of_run = || format!("{}-{}-{}", self.scenario, self.kind, self.place());
        let name = self.to.clone().unwrap_or_else(of_run);
        crate::bench::make_folder(&Path::new(if self.save { SAVED } else { UNSAVED }).join(name))
    }

    fn place(&self) -> String {
        if self.url.is_some() { "running".to_owned() } else { self.on.to_string() }
    }

    fn stack(&self, program: &Path) -> Outcome<Option<Stack>> {
        if self.url.is_some() {
            return Ok(None);
        }
        let mut settings: Vec<String> =
            self.scenario.settings().iter().map(|s| (*s).to_owned()).collect();
        settings.extend(self.set.iter().cloned());
        Stack::start(self.on, program, settings).map(Some)
    }

    fn command(&self, k6: &K6Binary, url: &str, folder: &Path) -> Command {
        let binary = k6.command();
        let mut command = affinity::on(affinity::GENERATOR, binary.get_program());
        for (name, value) in binary.get_envs() {
            value.map(|value| command.env(name, value));
        }
        command.args(binary.get_args()).args([
            "run",
            "--quiet",
            "--no-color",
            "--log-format",
            "raw",
        ]);
        command.arg("--console-output").arg(folder.join(if self.scenario.is_recorded() {
            RECORD
        } else {
            CONSOLE
        }));
        command.arg("--env").arg(format!("BASE_URL={url}"));
        command.arg("--env").arg(format!("KIND={}", self.kind));
        command.arg("--env").arg(format!("SUMMARY={}", folder.join(SUMMARY).display()));
        if self.scenario.is_recorded() {
            command.args(["--env", "RECORD=1"]);
        }
        for variable in &self.env {
            command.arg("--env").arg(variable);
        }
        command.env("K6_WEB_DASHBOARD", "true").env("K6_WEB_DASHBOARD_PORT", "-1");
        command
            .env("K6_WEB_DASHBOARD_PERIOD", "1s")
            .env("K6_WEB_DASHBOARD_EXPORT", folder.join(DASHBOARD));
        command.arg(root().join("loadtest").join(self.scenario.file()));
        command
    }

    /// The verdict on the recorded answers, if the scenario records them.
    fn verdict(&self, folder: &Path) -> Outcome<Option<Verdict>> {
        if !self.scenario.is_recorded() {
            return Ok(None);
        }
        let file = folder.join(RECORD);
        let record = File::open(&file).doing(format!("opening {}", file.display()))?;
        // The policy of a service that we did not start is unknown.
        let limits = if self.url.is_some() {
            sale_audit::AuditSettings::default()
        } else {
            scenario::limits()
        };
        let verdict = sale_audit::verdict(BufReader::new(record), &limits)?;
        if self.save {
            // The verdict replaces its hundreds of thousands of lines.
            fs::remove_file(&file).doing("removing the record")?;
        }
        Ok(Some(Verdict { is_good: verdict.is_good(), text: verdict.text().to_owned() }))
    }
}

/// Accepts simple names only, because the folder is emptied first.
fn name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("a name has letters, digits and - in it".to_owned())
    }
}

/// Killed when dropped.
struct Killed(Child);

impl Killed {
    /// Waits for the end, and returns whether every threshold held. The scenarios end without a
    /// signal.
    fn ended(mut self) -> Outcome<bool> {
        let status = self.0.wait().doing("waiting for k6")?;
        match status.code() {
            Some(0) => Ok(true),
            // Thresholds were crossed.
            Some(99) => Ok(false),
            Some(_) | None => Err(failed(format!("k6 ended with {status}"))),
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
