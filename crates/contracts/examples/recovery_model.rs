//! A deeper search of the recovery model:
//! `cargo run --release -p contracts --example recovery_model -- --depth N`, where N is the number
//! of actions added to the depth of the tests. Each action multiplies time and memory by about ten.

#![expect(clippy::print_stdout, reason = "it is a command")]

use std::process::ExitCode;
use std::time::Instant;

use contracts::recovery_model::searches;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let deeper = match words.as_slice() {
        [] => Some(1),
        [option, depth] if option == "--depth" => depth.parse().ok(),
        _ => None,
    };
    let Some(deeper) = deeper else {
        println!("usage: recovery_model [--depth N]");
        return ExitCode::from(2);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for model in searches(deeper) {
        let begun = Instant::now();
        let found = model.search(threads);
        let (name, seconds) = (model.scene.name, begun.elapsed().as_secs());
        println!("{name}: {} states, {} actions deep, {seconds} s", found.states, found.depth);
        if let Some((rule, actions)) = found.broken {
            println!("broken: {rule:?} by {actions:#?}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
