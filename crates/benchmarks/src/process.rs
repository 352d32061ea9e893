//! Resource use of a running process, read from /proc.

use procfs::ProcResult;
use procfs::process::Process;
use test_support::{Outcome, failed};

/// Processor time used so far by all threads, in seconds, at the scheduler's nanosecond resolution.
/// The time of a thread that has ended is lost.
pub(crate) fn cpu_seconds(process: u32) -> Outcome<f64> {
    let tasks = read(process, Process::tasks)?;
    let of_each = tasks.map(|task| task.and_then(|task| task.schedstat()));
    Ok(of_each.flatten().map(|times| times.sum_exec_runtime as f64 / 1e9).sum())
}

/// The resident set, in bytes.
pub(crate) fn memory(process: u32) -> Outcome<u64> {
    let status = read(process, Process::status)?;
    let missing = || failed(format!("process {process} has no resident set"));
    status.vmrss.map(|kib| kib * 1024).ok_or_else(missing)
}

fn read<T>(process: u32, of: impl FnOnce(&Process) -> ProcResult<T>) -> Outcome<T> {
    // Linux gives no process a higher number than 2^22.
    let found = Process::new(i32::try_from(process).unwrap_or(i32::MAX));
    found
        .and_then(|found| of(&found))
        .map_err(|error| failed(format!("reading about process {process}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let own = std::process::id();
        // Threads of other tests that end in between take their time with them.
        let has_grown = (0..100).any(|_| {
            let before = cpu_seconds(own).unwrap();
            let sum: u64 = (0..20_000_000).map(std::hint::black_box).sum();
            std::hint::black_box(sum) > 0 && cpu_seconds(own).unwrap() > before
        });
        assert!(has_grown);
        assert!(memory(own).unwrap() > 1 << 20);
    }
}
