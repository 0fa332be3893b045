//! Any text as a token, and a token with one character changed: only what was given out is taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewatch_engine::position::Position;
use tidewatch_engine::serve::token::{Page, parse_position, position_token};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    if let Some(position) = parse_position(&text) {
        assert_eq!(position_token(position), text, "two texts for one position");
    }
    if let Some(page) = Page::parse(&text) {
        assert_eq!(page.token(), text, "two texts for one page");
    }
    let mut bytes = input.iter().copied().chain(std::iter::repeat(0));
    let mut number = || (0..8).fold(0_u64, |number, _| number << 8 | u64::from(bytes.next().unwrap_or(0)));
    let position =
        Position { shard: number() as u32, lineage: u128::from(number()) << 64 | 1, seq: number() };
    let page = Page { position, skipped: number(), query: number() };
    let token = page.token();
    assert_eq!(Page::parse(&token), Some(page));
    assert_eq!(parse_position(&position_token(position)), Some(position));
    let (at, letter) = (number() as usize % token.len(), (number() % 128) as u8 as char);
    let mut changed = token.clone();
    changed.replace_range(at..=at, &letter.to_string());
    assert!(changed == token || Page::parse(&changed).is_none(), "{changed} for {token}");
});
