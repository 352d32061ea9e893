//! `boxoffice serve`

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use telemetry::{Instruments, LastLines, Telemetry};
use tokio::runtime::{Builder, Runtime};

use crate::application::{Application, StartError};
use crate::command::{complain, fail, fail_usage};
use crate::config::Config;
use crate::descriptors;
use crate::stop::StopSignals;

/// Threads for what is not a request: the keeper and the listeners' accept loops. Requests have their own.
const BACKGROUND_THREADS: usize = 1;

/// How long the end of the program waits for a collector to take in what is left.
const SENT_WITHIN: Duration = Duration::from_secs(3);

/// How long the end of the program waits for tasks that do not end.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Config) -> ExitCode {
    // Before anything is opened: what fails for want of a descriptor does not name the limit.
    if let Err(error) = descriptors::prepare(config) {
        return failed(error);
    }
    let telemetry = match start_telemetry(config) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(error);
            return ExitCode::FAILURE;
        }
    };
    let (instruments, last_lines) = (telemetry.instruments(), telemetry.last_lines());
    let served = runtime().map_err(StartError::Ended);
    let served =
        served.and_then(|runtime| run_on(runtime, serve(config, &instruments, last_lines)));
    // What failed at the end is to be read after everything that was logged.
    telemetry.stop(SENT_WITHIN);
    served.map_or_else(failed, |()| ExitCode::SUCCESS)
}

fn failed(error: StartError) -> ExitCode {
    if let StartError::Config(error) = error { fail_usage(&error) } else { fail(error) }
}

fn start_telemetry(config: &Config) -> Result<Telemetry, Box<dyn std::error::Error>> {
    Ok(Telemetry::start(&config.telemetry.settings()?)?)
}

pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(BACKGROUND_THREADS).enable_all().build()
}

/// Runs to the end, and leaves behind what will not end, such as a question to a name server that is gone.
pub(super) fn run_on<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_BEHIND_AFTER);
    done
}

async fn serve(
    config: &Config,
    instruments: &Instruments,
    last_lines: LastLines,
) -> Result<(), StartError> {
    let mut signals = StopSignals::catch().map_err(StartError::Ended)?;
    let application = tokio::select! {
        built = Application::build(config, instruments) => built?,
        () = signals.next() => return Ok(()),
    };
    tracing::info!(
        public = %application.public_address(),
        operations = %application.ops_address(),
        "listening"
    );
    let (told, mut ask) = tokio::sync::oneshot::channel();
    // The first signal drains; a second one, from somebody who will not wait, ends the program at once.
    let watcher = tokio::spawn(async move {
        signals.next().await;
        let _ = told.send(());
        signals.next().await;
        tracing::warn!("told to stop twice: ending at once");
        last_lines.write_out();
        std::process::exit(130);
    });
    let result = application
        .run_until_stopped(async {
            let _ = (&mut ask).await;
        })
        .await;
    watcher.abort();
    result
}
