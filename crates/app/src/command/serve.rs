//! `boxoffice serve`

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use telemetry::{FlushGuard, Instruments, Telemetry};
use tokio::runtime::{Builder, Runtime};

use crate::application::Application;
use crate::command::{complain, fail, fail_usage};
use crate::config::Config;
use crate::file_descriptors;
use crate::signals::StopSignals;
use crate::start_error::StartError;

/// Threads for the background loops and the listeners' accept loops. Requests have their own.
const BACKGROUND_THREADS: usize = 1;

/// How long shutdown waits for the collector to accept the remaining telemetry.
const TELEMETRY_FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// How long shutdown waits for tasks that do not end.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Config) -> ExitCode {
    // Before anything is opened: an error caused by a lack of descriptors does not name the limit.
    if let Err(error) = file_descriptors::prepare(config) {
        return failed(error);
    }
    let telemetry = match start_telemetry(config) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(error);
            return ExitCode::FAILURE;
        }
    };
    let (instruments, flush_guard) = (telemetry.instruments(), telemetry.flush_guard());
    let served = runtime().map_err(StartError::Ended);
    let served =
        served.and_then(|runtime| run_on(runtime, serve(config, &instruments, flush_guard)));
    // After the telemetry, so that the final error is printed below all log lines.
    telemetry.stop(TELEMETRY_FLUSH_LIMIT);
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

/// Runs `work` to completion, then abandons tasks that do not end, such as a DNS query that gets no
/// reply.
pub(super) fn run_on<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_BEHIND_AFTER);
    done
}

async fn serve(
    config: &Config,
    instruments: &Instruments,
    flush_guard: FlushGuard,
) -> Result<(), StartError> {
    let mut signals = StopSignals::catch().map_err(StartError::Ended)?;
    let application = tokio::select! {
        built = Application::builder(config).instruments(instruments.clone()).build() => built?,
        () = signals.next() => return Ok(()),
    };
    tracing::info!(
        public = %application.public_address(),
        operations = %application.ops_address(),
        "listening"
    );
    let (request_stop, mut stop_requested) = tokio::sync::oneshot::channel();
    // The first signal starts the drain; a second one ends the program at once.
    let watcher = tokio::spawn(async move {
        signals.next().await;
        let _ = request_stop.send(());
        signals.next().await;
        tracing::warn!("received a second stop signal: exiting at once");
        flush_guard.write_out();
        std::process::exit(130);
    });
    let result = application
        .run_until_stopped(async {
            let _ = (&mut stop_requested).await;
        })
        .await;
    watcher.abort();
    result
}
