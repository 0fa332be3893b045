//! Any bytes as a segment: opening, reading and verifying agree on what they are.
#![no_main]

#[path = "../../tests/storage/classify.rs"]
mod classify;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| classify::check_any(bytes));
