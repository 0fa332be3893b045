//! Opaque tokens for positions and pages.
//!
//! A token is not a secret and grants nothing; its checksum only tells damage and tokens of other kinds apart.

use crate::position::Position;

/// Where the next page of a list begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// The position of all its pages.
    pub position: Position,
    /// Items on the pages before.
    pub skipped: u64,
    /// Of everything in the request but its page size and token; see [`query_digest`].
    pub query: u64,
}

const POSITION: u8 = b'p';
const PAGE: u8 = b'l';
const CHECK_BYTES: usize = 4;

/// The digest that binds a page token to its query: the method and its request without page size and token.
pub fn query_digest(method: &str, request: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(method.as_bytes()).update(&[0]).update(request);
    u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("eight bytes"))
}

/// The digest of a question at a position: the method and its request without minimum position.
pub fn question_digest(method: &str, request: &[u8], position: Position) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for number in numbers(position) {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(method.as_bytes()).update(&[0]).update(request);
    *hasher.finalize().as_bytes()
}

/// The token of a position.
pub fn position_token(position: Position) -> String {
    seal(POSITION, &numbers(position))
}

/// The position a token names; `None` for a text that is no position token.
pub fn parse_position(token: &str) -> Option<Position> {
    open(POSITION, token).and_then(position)
}

impl Page {
    pub fn token(self) -> String {
        let [shard, high, low, seq] = numbers(self.position);
        seal(PAGE, &[shard, high, low, seq, self.skipped, self.query])
    }

    /// The page a token names; `None` for a text that is no page token.
    pub fn parse(token: &str) -> Option<Self> {
        let [shard, high, low, seq, skipped, query] = open(PAGE, token)?;
        Some(Self { position: position([shard, high, low, seq])?, skipped, query })
    }
}

fn numbers(position: Position) -> [u64; 4] {
    let lineage = position.lineage;
    let (high, low) = ((lineage >> 64) as u64, lineage as u64);
    [u64::from(position.shard), high, low, position.seq]
}

fn position([shard, high, low, seq]: [u64; 4]) -> Option<Position> {
    let lineage = u128::from(high) << 64 | u128::from(low);
    Some(Position { shard: shard.try_into().ok()?, lineage, seq })
}

fn seal(kind: u8, numbers: &[u64]) -> String {
    let mut bytes = Vec::with_capacity(1 + 8 * numbers.len() + CHECK_BYTES);
    bytes.push(kind);
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([digit(byte >> 4), digit(byte & 0xf)]);
    }
    text
}

fn open<const N: usize>(kind: u8, token: &str) -> Option<[u64; N]> {
    let length = 1 + 8 * N + CHECK_BYTES;
    // One text for each token: neither capitals nor the signs that a number may bring.
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if token.len() != 2 * length || !token.bytes().all(is_digit) {
        return None;
    }
    let bytes: Vec<u8> = (0..length)
        .map(|at| u8::from_str_radix(&token[2 * at..2 * at + 2], 16).ok())
        .collect::<Option<_>>()?;
    let (content, check) = bytes.split_at(length - CHECK_BYTES);
    let intact = content[0] == kind && crc32c::crc32c(content).to_be_bytes() == check;
    let number =
        |at: usize| u64::from_be_bytes(content[1 + 8 * at..9 + 8 * at].try_into().expect("eight bytes"));
    intact.then(|| std::array::from_fn(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_carry_their_content(shard: u32, lineage: u128, seq: u64, skipped: u64, query: u64) {
            let position = Position { shard, lineage, seq };
            let page = Page { position, skipped, query };
            prop_assert_eq!(parse_position(&position_token(position)), Some(position));
            prop_assert_eq!(Page::parse(&page.token()), Some(page));
            prop_assert_eq!(parse_position(&page.token()), None);
            prop_assert_eq!(Page::parse(&position_token(position)), None);
        }

        #[test]
        fn damage_is_noticed(at in 0usize..106, digit in "[0-9a-fA-F+]") {
            let page = Page { position: Position { shard: 0, lineage: 1, seq: 7 }, skipped: 100, query: 42 };
            let mut token = page.token();
            prop_assume!(token[at..=at] != digit);
            token.replace_range(at..=at, &digit);
            prop_assert_eq!(Page::parse(&token), None);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,100}") {
            prop_assert_eq!(parse_position(&text), None);
        }
    }
}
