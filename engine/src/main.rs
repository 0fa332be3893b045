//! The program `tidewatch`.

use std::process::ExitCode;

/// Also serves the C libraries in the process: the Kafka client is two to three times faster with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidewatch_engine::cli::run()
}
