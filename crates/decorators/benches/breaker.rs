//! Measures the overhead a circuit breaker adds to a call: acquire, record, and two clock readings.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail by panicking")]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use decorators::breaker::{Breaker, BreakerSettings, Window};

fn a_call(criterion: &mut Criterion) {
    for (name, window) in [("calls", Window::Calls(100)), ("seconds", Window::Seconds(10))] {
        let settings = BreakerSettings { window, ..BreakerSettings::default() };
        let breaker = Breaker::new(settings, 0).unwrap();
        let origin = Instant::now();
        criterion.bench_function(&format!("acquire and succeed, window of {name}"), |bencher| {
            bencher.iter(|| {
                let permit = black_box(&breaker).try_acquire(origin.elapsed()).unwrap();
                permit.succeeded(origin.elapsed());
            });
        });
    }
    let origin = Instant::now();
    criterion.bench_function("two clock readings alone", |bencher| {
        bencher.iter(|| (black_box(origin).elapsed(), black_box(origin).elapsed()));
    });
}

criterion_group!(benches, a_call);
criterion_main!(benches);
