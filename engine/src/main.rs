//! The program `tidewatch`.

use std::ffi::c_long;
use std::process::ExitCode;

/// Also serves the C libraries in the process: the Kafka client is two to three times faster with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Freed memory goes back to the system after this time, in ms. Batches and frames come and go faster; giving their memory back in
/// between (the allocator's own second) costs page faults when it is asked for again.
const PURGE_DELAY_MS: c_long = 10_000;

/// `mi_option_purge_delay` of the allocator's `mimalloc.h`, which the bindings do not name.
const OPTION_PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    delay_purges();
    tidewatch_engine::cli::run()
}

/// Leaves a delay that the environment sets (`MIMALLOC_PURGE_DELAY`) as it is.
#[expect(
    unsafe_code,
    reason = "the allocator takes options by a C call only, or from the environment before the start"
)]
fn delay_purges() {
    // SAFETY: the call takes two numbers, checks the first and stores the second; no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set_default(OPTION_PURGE_DELAY, PURGE_DELAY_MS) }
}
