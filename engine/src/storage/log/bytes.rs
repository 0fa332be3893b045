//! Reads and writes bytes one field at a time: LEB128 numbers, zigzag for signed ones, lengths before texts.

/// Bytes that are no encoding of what they should be. Behind a valid checksum it means a bug or a hostile hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed {what}")]
pub struct Malformed {
    /// The field that could not be read.
    pub what: &'static str,
}

/// The error for a field.
pub(crate) fn malformed<T>(what: &'static str) -> Result<T, Malformed> {
    Err(Malformed { what })
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, Malformed> {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                Ok(*first)
            }
            [] => malformed(what),
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => malformed(what),
        }
    }

    #[inline]
    pub(crate) fn varint(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let first = self.byte(what)?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return malformed(what);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        malformed(what)
    }

    pub(crate) fn wide_varint(&mut self, what: &'static str) -> Result<u128, Malformed> {
        let mut value = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u128::from(byte & 0x7f);
            if shift == 126 && bits > 3 {
                return malformed(what);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        malformed(what)
    }

    #[inline]
    pub(crate) fn signed(&mut self, what: &'static str) -> Result<i64, Malformed> {
        Ok(unzigzag(self.varint(what)?))
    }

    #[inline]
    pub(crate) fn length(&mut self, what: &'static str) -> Result<usize, Malformed> {
        usize::try_from(self.varint(what)?).or(malformed(what))
    }

    /// How many items of at least one byte follow: never more than there are bytes, so it is safe to allocate for.
    #[inline]
    pub(crate) fn count(&mut self, what: &'static str) -> Result<usize, Malformed> {
        let count = self.length(what)?;
        if count > self.remaining() { malformed(what) } else { Ok(count) }
    }

    #[inline]
    pub(crate) fn blob(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.length(what)?;
        self.take(len, what)
    }

    #[inline]
    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.blob(what)?).or(malformed(what))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.take(4, what)?.try_into().expect("four bytes were taken")))
    }
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_wide_varint(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

#[inline]
pub(crate) fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Small magnitudes to small numbers: 0, -1, 1, -2, 2 … become 0, 1, 2, 3, 4 …
#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(crate) fn wide_zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)) as u128
}

pub(crate) fn wide_unzigzag(value: u128) -> i128 {
    (value >> 1) as i128 ^ -((value & 1) as i128)
}
