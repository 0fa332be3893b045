//! Event ids in a frame. They are most of an event's bytes and hardly compress, so the common shapes have their own form:
//! UUIDs and hashes as bytes, numbers as the step from the number before, other texts without what they share with the text before.

use super::bytes::{Bytes, Malformed, malformed, put_signed, put_varint};

/// The ids before, to which the next one is relative.
#[derive(Default)]
pub(crate) struct LastId {
    number: u64,
    text: Vec<u8>,
}

impl LastId {
    pub(crate) fn clear(&mut self) {
        self.number = 0;
        self.text.clear();
    }

    /// Goes past an id that nobody asked for, and keeps of it what the next one is relative to.
    pub(crate) fn pass(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
        let mut id = *bytes;
        pass_id(bytes)?;
        let coded = id.varint(WHAT)?;
        match coded & FORM_MASK {
            form @ (TEXT | AFTER_PREFIX) => self.take_text(form, coded >> FORM_BITS, &mut id)?,
            NUMBER => self.take_number(&mut id)?,
            _ => {}
        }
        Ok(())
    }

    fn take_text(&mut self, form: u64, len: u64, bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
        let len = usize::try_from(len).or(malformed(WHAT))?;
        let shared = if form == AFTER_PREFIX { usize::from(bytes.byte(WHAT)?) } else { 0 };
        if shared > self.text.len() {
            return malformed(WHAT);
        }
        self.text.truncate(shared);
        self.text.extend_from_slice(bytes.take(len, WHAT)?);
        Ok(())
    }

    fn take_number(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
        self.number = self.number.wrapping_add(bytes.signed(WHAT)? as u64);
        Ok(())
    }
}

/// What a reader of ids calls them where one makes no sense.
const WHAT: &str = "event id";
/// An id's first number is its length in this form's units, above the form's bits.
const FORM_BITS: u32 = 3;
const FORM_MASK: u64 = (1 << FORM_BITS) - 1;
const TEXT: u64 = 0;
const AFTER_PREFIX: u64 = 1;
const UUID: u64 = 2;
const NUMBER: u64 = 3;
const HEX: u64 = 4;

const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID_CHARS: usize = 36;
/// Every decimal of so many digits fits a `u64`.
const NUMBER_DIGITS_MAX: usize = 19;
/// Shorter texts of hexadecimal digits are left as they are.
const HEX_CHARS_MIN: usize = 16;
const HEX_CHARS_MAX: usize = 256;
/// Shorter shared beginnings cost as much as they save.
const PREFIX_BYTES_MIN: usize = 3;

pub(crate) fn put_id(out: &mut Vec<u8>, id: &str, last: &mut LastId) {
    let bytes = id.as_bytes();
    if bytes.len() == UUID_CHARS
        && let Some(uuid) = parse_uuid(bytes)
    {
        put_varint(out, UUID);
        out.extend_from_slice(&uuid);
        return;
    }
    if let Some(number) = parse_number(bytes) {
        put_varint(out, NUMBER);
        put_signed(out, number.wrapping_sub(last.number) as i64);
        last.number = number;
        return;
    }
    if (HEX_CHARS_MIN..=HEX_CHARS_MAX).contains(&bytes.len()) && bytes.len().is_multiple_of(2) {
        let mut hex = [0; HEX_CHARS_MAX / 2];
        let hex = &mut hex[..bytes.len() / 2];
        if parse_hex(bytes, hex) {
            put_varint(out, (hex.len() as u64) << FORM_BITS | HEX);
            out.extend_from_slice(hex);
            return;
        }
    }
    let shared = bytes.iter().zip(&last.text).take(usize::from(u8::MAX)).take_while(|(a, b)| a == b).count();
    if shared >= PREFIX_BYTES_MIN {
        put_varint(out, ((bytes.len() - shared) as u64) << FORM_BITS | AFTER_PREFIX);
        out.push(shared as u8);
        out.extend_from_slice(&bytes[shared..]);
    } else {
        put_varint(out, (bytes.len() as u64) << FORM_BITS | TEXT);
        out.extend_from_slice(bytes);
    }
    last.text.truncate(shared);
    last.text.extend_from_slice(&bytes[shared..]);
}

pub(crate) fn take_id(bytes: &mut Bytes<'_>, last: &mut LastId) -> Result<Box<str>, Malformed> {
    let coded = bytes.varint(WHAT)?;
    let len = usize::try_from(coded >> FORM_BITS).or(malformed(WHAT))?;
    match coded & FORM_MASK {
        form @ (TEXT | AFTER_PREFIX) => {
            last.take_text(form, coded >> FORM_BITS, bytes)?;
            Ok(std::str::from_utf8(&last.text).or(malformed(WHAT))?.into())
        }
        UUID => Ok(uuid_text(bytes.take(16, WHAT)?)),
        NUMBER => {
            last.take_number(bytes)?;
            Ok(last.number.to_string().into())
        }
        HEX => Ok(hex_text(bytes.take(len, WHAT)?).into()),
        _ => malformed(WHAT),
    }
}

/// Goes past an id without keeping anything of it.
pub(crate) fn pass_id(bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
    let coded = bytes.varint(WHAT)?;
    let len = usize::try_from(coded >> FORM_BITS).or(malformed(WHAT))?;
    match coded & FORM_MASK {
        TEXT | HEX => bytes.take(len, WHAT)?,
        AFTER_PREFIX => {
            bytes.byte(WHAT)?;
            bytes.take(len, WHAT)?
        }
        UUID => bytes.take(16, WHAT)?,
        NUMBER => return bytes.varint(WHAT).map(|_| ()),
        _ => return malformed(WHAT),
    };
    Ok(())
}

fn parse_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > NUMBER_DIGITS_MAX || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    if UUID_DASHES.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut uuid = [0; 16];
    let mut rest = &mut uuid[..];
    for part in [&text[..8], &text[9..13], &text[14..18], &text[19..23], &text[24..36]] {
        let (into, after) = rest.split_at_mut(part.len() / 2);
        if !parse_hex(part, into) {
            return None;
        }
        rest = after;
    }
    Some(uuid)
}

/// The value of each byte that is a lower-case hexadecimal digit; of others, [`NO_DIGIT`].
const DIGIT_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};
/// Its bits above a digit's tell it from one.
const NO_DIGIT: u8 = 0xf0;

/// Reads lower-case digits only: the text must come back as it was.
fn parse_hex(text: &[u8], out: &mut [u8]) -> bool {
    let mut seen = 0;
    for (pair, byte) in text.chunks_exact(2).zip(out) {
        let (high, low) = (DIGIT_VALUES[usize::from(pair[0])], DIGIT_VALUES[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    seen & NO_DIGIT == 0
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn put_hex(bytes: &[u8], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

pub(crate) fn hex_text(bytes: &[u8]) -> String {
    let mut text = vec![0; 2 * bytes.len()];
    put_hex(bytes, &mut text);
    String::from_utf8(text).expect("digits are ASCII")
}

fn uuid_text(uuid: &[u8]) -> Box<str> {
    let mut text = [b'-'; UUID_CHARS];
    for (from, to) in [(0..4, 0..8), (4..6, 9..13), (6..8, 14..18), (8..10, 19..23), (10..16, 24..36)] {
        put_hex(&uuid[from], &mut text[to]);
    }
    std::str::from_utf8(&text).expect("digits and dashes are ASCII").into()
}
