//! A log written and changed as the bytes say is recovered, cut and reported, or named as damaged.
#![no_main]

#[path = "../../tests/storage/classify.rs"]
mod classify;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| classify::check(bytes));
