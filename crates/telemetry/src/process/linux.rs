//! Reads `/proc`. A failed reading is omitted, so that its series has a gap instead of a wrong
//! value.

use procfs::process::{LimitValue, Process, Stat};
use procfs::{Current as _, LoadAverage, ProcResult};

use crate::metrics::catalog::process;
use crate::metrics::{Meters, Metric};

/// The kernel's name of the loopback interface.
const LOOPBACK: &str = "lo";

pub(super) fn watch(meters: &Meters) {
    if !meters.is_on() {
        return;
    }
    meters.watch(&process::CPU, |reported| {
        if let Ok(stat) = stat() {
            reported.is(&["user"], seconds(stat.utime));
            reported.is(&["system"], seconds(stat.stime));
        }
    });
    meters.watch(&process::NETWORK, |reported| {
        if let Ok((received, sent)) = network() {
            reported.is(&["receive"], received as f64);
            reported.is(&["transmit"], sent as f64);
        }
    });
    watch_one(meters, &process::MEMORY, || {
        Some(stat().ok()?.rss as f64 * procfs::page_size() as f64)
    });
    watch_one(meters, &process::MEMORY_VIRTUAL, || Some(stat().ok()?.vsize as f64));
    watch_one(meters, &process::FILES, || Some(Process::myself().ok()?.fd_count().ok()? as f64));
    watch_one(meters, &process::FILES_MAX, files_max);
    watch_one(meters, &process::THREADS, || Some(stat().ok()?.num_threads as f64));
    watch_one(meters, &process::LOAD, || Some(f64::from(LoadAverage::current().ok()?.one)));
    watch_one(meters, &process::CPUS, || {
        Some(std::thread::available_parallelism().ok()?.get() as f64)
    });
    // Read once: the boot time the kernel reports moves when the clock is set, and a start time
    // must not.
    let started = start_time().ok();
    watch_one(meters, &process::START_TIME, move || started);
}

/// Registers a metric without labels.
fn watch_one(
    meters: &Meters,
    metric: &'static Metric,
    read: impl Fn() -> Option<f64> + Send + Sync + 'static,
) {
    meters.watch(metric, move |reported| {
        if let Some(value) = read() {
            reported.is(&[], value);
        }
    });
}

fn stat() -> ProcResult<Stat> {
    Process::myself()?.stat()
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}

/// Also `None` if there is no limit.
fn files_max() -> Option<f64> {
    match Process::myself().ok()?.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit as f64),
        LimitValue::Unlimited => None,
    }
}

/// Bytes received and sent.
fn network() -> ProcResult<(u64, u64)> {
    let interfaces = procfs::net::dev_status()?;
    let outward = interfaces.values().filter(|interface| interface.name != LOOPBACK);
    Ok(outward.fold((0, 0), |(received, sent), interface| {
        (received + interface.recv_bytes, sent + interface.sent_bytes)
    }))
}

fn start_time() -> ProcResult<f64> {
    Ok(procfs::boot_time_secs()? as f64 + seconds(stat()?.starttime))
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use crate::Instruments;

    const LIMIT: Duration = Duration::from_secs(30);

    fn start() -> Instruments {
        Instruments::to_be_scraped().unwrap()
    }

    /// The value of the only series whose line starts with this prefix.
    fn read(telemetry: &Instruments, series: &str) -> f64 {
        let text = telemetry.scrape.as_ref().unwrap().text().unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with(series));
        let line = lines.next().unwrap_or_else(|| panic!("no {series} in:\n{text}"));
        assert_eq!(lines.next(), None, "{series}");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn every_metric_is_there_and_plausible() {
        let telemetry = start();
        let resident = read(&telemetry, "process_memory_usage_bytes{");
        assert!(resident > 1e6, "{resident}");
        assert!(read(&telemetry, "process_memory_virtual_bytes{") >= resident);
        assert!(read(&telemetry, "process_thread_count{") >= 1.0);
        let files = read(&telemetry, "process_unix_file_descriptor_count{");
        assert!(
            files >= 1.0 && files < read(&telemetry, "boxoffice_process_file_descriptor_limit{"),
            "{files}"
        );
        assert!(read(&telemetry, "boxoffice_system_load{") >= 0.0);
        assert!(read(&telemetry, "boxoffice_process_cpu_count{") >= 1.0);
        for direction in ["receive", "transmit"] {
            let series =
                format!("system_network_io_bytes_total{{network_io_direction=\"{direction}\"");
            assert!(read(&telemetry, &series) >= 0.0);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "compares with the clock of the machine")]
    fn the_process_started_a_short_while_ago() {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        let age = now - read(&start(), "boxoffice_process_start_time_seconds{");
        // The kernel reports its boot time in whole seconds.
        assert!((-2.0..3600.0).contains(&age), "{age}");
    }

    #[test]
    fn work_takes_processor_time() {
        let telemetry = start();
        let user = || read(&telemetry, "process_cpu_time_seconds_total{cpu_mode=\"user\"");
        let (before, began) = (user(), Instant::now());
        assert!(read(&telemetry, "process_cpu_time_seconds_total{cpu_mode=\"system\"") >= 0.0);
        while user() <= before {
            assert!(began.elapsed() < LIMIT, "no processor time in {LIMIT:?}");
            black_box(
                (0..1_000_000_u64).fold(0, |sum: u64, next| sum.wrapping_mul(31) ^ black_box(next)),
            );
        }
    }

    #[test]
    fn nothing_is_read_if_metrics_are_off() {
        crate::process::watch(&crate::metrics::Meters::off());
    }
}
