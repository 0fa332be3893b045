//! Splits content into lines, with bounded memory whatever the file contains.

use std::io::{self, BufRead, BufReader, Read};

use super::content::Hashed;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const BUFFER_BYTES: usize = 256 << 10;

/// The lines of one content, from a byte on.
pub struct Lines {
    reader: BufReader<Hashed>,
    record_bytes_max: usize,
    /// How many uncompressed bytes have been read.
    pub byte: u64,
    /// How many lines have been read.
    pub line: u64,
}

impl Lines {
    /// Skips `byte` bytes that hold `line` lines, and reads on from there.
    ///
    /// # Errors
    /// When the content cannot be read.
    pub fn after(reader: Hashed, byte: u64, line: u64, record_bytes_max: usize) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        io::copy(&mut reader.by_ref().take(byte), &mut io::sink())?;
        Ok(Self { reader, record_bytes_max, byte, line })
    }

    /// Appends the next line to `out`, without its line end, and says how many bytes it has; `None` at the end of the
    /// content. Of a line past the limit one byte more than the limit is given, enough for the decoder to reject it.
    ///
    /// # Errors
    /// When the content cannot be read.
    pub fn read(&mut self, out: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let start = out.len();
        let most = self.record_bytes_max + "\r\n".len();
        let mut read = self.reader.by_ref().take(most as u64).read_until(b'\n', out)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let mut beyond = 0;
        if out.last() == Some(&b'\n') {
            out.pop();
        } else if read == most as u64 {
            let (skipped, line_end) = skip_line(&mut self.reader, out.last().copied())?;
            read += skipped;
            beyond = skipped.saturating_sub(line_end);
        }
        if beyond == 0 && out[start..].ends_with(b"\r") {
            out.pop();
        }
        if self.byte == 0 && out[start..].starts_with(UTF8_BOM) {
            out.drain(start..start + UTF8_BOM.len());
        }
        let whole_bytes = (out.len() - start) as u64 + beyond;
        out.truncate(start + self.record_bytes_max + 1);
        self.byte += read;
        self.line += 1;
        Ok(Some(whole_bytes))
    }

    /// The digest of everything read; meaningful at the end.
    pub fn digest(&self) -> String {
        self.reader.get_ref().digest()
    }
}

/// Skips the rest of a line whose byte before it was `last`: how many bytes that are, and how many of them end the line.
fn skip_line(reader: &mut impl BufRead, mut last: Option<u8>) -> io::Result<(u64, u64)> {
    let mut skipped = 0;
    loop {
        let bytes = reader.fill_buf()?;
        let Some(newest) = bytes.last().copied() else { return Ok((skipped, 0)) };
        let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
            let length = bytes.len();
            reader.consume(length);
            skipped += length as u64;
            last = Some(newest);
            continue;
        };
        let before = if at == 0 { last } else { Some(bytes[at - 1]) };
        reader.consume(at + 1);
        let carriage_return = u64::from(before == Some(b'\r') && (skipped > 0 || at > 0));
        return Ok((skipped + at as u64 + 1, 1 + carriage_return));
    }
}
