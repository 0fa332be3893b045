//! Cutting bytes into lines, with bounded memory whatever the file holds.

use std::io::{self, BufRead, BufReader, Read};

use super::content::Hashed;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const BUFFER_BYTES: usize = 256 << 10;

/// The lines of one content, from a byte on.
pub struct Lines {
    reader: BufReader<Hashed>,
    record_bytes_max: usize,
    /// Uncompressed bytes read.
    pub byte: u64,
    /// Lines read.
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

    /// Appends the next line to `out`, without its line end; `None` at the end of the content. Of a line past the limit
    /// one byte more than the limit is given, enough for the decoder to refuse it.
    ///
    /// # Errors
    /// When the content cannot be read.
    pub fn read(&mut self, out: &mut Vec<u8>) -> io::Result<Option<()>> {
        let start = out.len();
        let most = self.record_bytes_max + "\r\n".len();
        let mut read = self.reader.by_ref().take(most as u64).read_until(b'\n', out)? as u64;
        if read == 0 {
            return Ok(None);
        }
        if out.last() == Some(&b'\n') {
            out.pop();
        } else if read == most as u64 {
            read += self.reader.skip_until(b'\n')? as u64;
        }
        if out[start..].ends_with(b"\r") {
            out.pop();
        }
        if self.byte == 0 && out[start..].starts_with(UTF8_BOM) {
            out.drain(start..start + UTF8_BOM.len());
        }
        out.truncate(start + self.record_bytes_max + 1);
        self.byte += read;
        self.line += 1;
        Ok(Some(()))
    }

    /// The digest of everything read; meaningful at the end.
    pub fn digest(&self) -> String {
        self.reader.get_ref().digest()
    }
}
