//! `boxoffice serve`

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::application::{Application, StartError};
use crate::command::{complain, fail_usage};
use crate::config::Config;
use crate::stop::StopSignals;

/// Threads for what is not a request: the keeper and the listeners' accept loops. Requests have their own.
const BACKGROUND_THREADS: usize = 1;

/// How long the end of the program waits for tasks that do not end.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Config) -> ExitCode {
    if let Err(error) = start_logging(config) {
        complain(error);
        return ExitCode::FAILURE;
    }
    let served = runtime().map_err(StartError::Ended).and_then(|runtime| run_on(runtime, serve(config)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Config(error)) => fail_usage(&error),
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn start_logging(config: &Config) -> Result<(), Box<dyn std::error::Error>> {
    let section = &config.telemetry;
    telemetry::start_logging(&section.log_filter, section.format()?)?;
    Ok(())
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

async fn serve(config: &Config) -> Result<(), StartError> {
    let mut signals = StopSignals::catch().map_err(StartError::Ended)?;
    let application = tokio::select! {
        built = Application::build(config) => built?,
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
