//! `boxoffice baseline`: a constant response on the public address, with the public listener's
//! settings.

use std::process::ExitCode;
use std::time::Duration;

use adapter_http::listen_baseline;

use super::{complain, serve};
use crate::config::Config;
use crate::file_descriptors;
use crate::signals::StopSignals;

pub(super) fn run(config: &Config) -> ExitCode {
    // As the service does, so that both are measured under the same limit.
    file_descriptors::raise_limit();
    let served = serve::runtime().and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = StopSignals::catch()?;
            let listener = listen_baseline(&config.http.settings())?;
            let stopper = listener.stopper();
            let running = tokio::spawn(listener.run());
            signals.next().await;
            stopper.stop(Duration::ZERO).await;
            running.await?
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}
