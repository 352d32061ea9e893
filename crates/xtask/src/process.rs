//! Resource use of a running process, read from /proc.

use std::fs;

use test_support::{Doing as _, Outcome, failed};

/// Processor time used so far by all threads, in seconds, at the scheduler's nanosecond resolution.
pub(crate) fn cpu_seconds(process: u32) -> Outcome<f64> {
    let tasks = format!("/proc/{process}/task");
    let mut nanoseconds = 0.0;
    for task in fs::read_dir(&tasks).doing(format!("reading {tasks}"))? {
        let path = task.doing(format!("reading {tasks}"))?.path().join("schedstat");
        // The time of a thread that ended is lost.
        let text = fs::read_to_string(&path).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}

/// The resident set, in bytes.
pub(crate) fn memory(process: u32) -> Outcome<u64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).doing(format!("reading {path}"))?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let kib = kib.and_then(|kib| kib.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| failed(format!("{path} has no resident set")))
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
