//! Opens a file, detects its compression from the first bytes, and computes the digest of its uncompressed content.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::progress::Progress;

/// Characters of a digest: the first 16 bytes of BLAKE3 in hexadecimal.
pub const DIGEST_CHARS: usize = 32;
/// Size of the read buffer, in bytes.
const READ_BYTES: usize = 256 << 10;
/// Largest window of a zstd frame, as a power of two (128 MiB): more would be a memory bomb.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The compression of the bytes on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Codec {
    Plain,
    Gzip,
    Zstd,
}

/// One file with its digest; every reader starts at its beginning.
pub struct Content {
    file: File,
    codec: Codec,
    /// BLAKE3 of the uncompressed bytes, [`DIGEST_CHARS`] characters.
    pub digest: String,
    /// Size of the uncompressed content, in bytes.
    pub bytes: u64,
    /// Size of the file on disk, in bytes.
    pub stored_bytes: u64,
}

impl Content {
    /// Opens a file and reads it once for its digest.
    ///
    /// # Errors
    /// When it cannot be read or decompressed.
    pub fn of_path(path: &Path, progress: &Arc<Progress>) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::other("it is a directory"));
        }
        if !file.metadata()?.is_file() {
            // A pipe can be read once only, and we read twice.
            return Self::of_stream(file, progress);
        }
        Self::of_file(file, progress)
    }

    /// Spools a stream into a temporary file, because the digest must be known before the first record gets its id.
    ///
    /// # Errors
    /// When the stream or the temporary file fails.
    pub fn of_stream(mut stream: impl Read, progress: &Arc<Progress>) -> io::Result<Self> {
        let mut spool = tempfile::tempfile()?;
        let stored_bytes = io::copy(&mut stream, &mut spool)?;
        progress.expect(2 * stored_bytes);
        Self::of_file(spool, progress)
    }

    fn of_file(mut file: File, progress: &Arc<Progress>) -> io::Result<Self> {
        let stored_bytes = file.metadata()?.len();
        let codec = codec_of(&mut file)?;
        let mut content = Self { file, codec, digest: String::new(), bytes: 0, stored_bytes };
        let mut reader = content.reader(progress)?;
        content.bytes = io::copy(&mut reader, &mut io::sink())?;
        content.digest = reader.digest();
        Ok(content)
    }

    /// The uncompressed bytes from the beginning. One reader at a time: they share the place in the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reader(&self, progress: &Arc<Progress>) -> io::Result<Hashed> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let stored = BufReader::with_capacity(READ_BYTES, Counted { file, progress: Arc::clone(progress) });
        let inner: Box<dyn Read + Send> = match self.codec {
            Codec::Plain => Box::new(stored),
            Codec::Gzip => Box::new(MultiGzDecoder::new(stored)),
            Codec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        };
        Ok(Hashed { inner, hasher: blake3::Hasher::new() })
    }
}

fn codec_of(file: &mut File) -> io::Result<Codec> {
    let mut magic = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(4).read_to_end(&mut magic)?;
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Codec::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Codec::Zstd,
        _ => Codec::Plain,
    })
}

/// Adds the bytes read from disk to the progress.
struct Counted {
    file: File,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}

/// Hashes the bytes as they are read, so that a file that changed between its two readings is noticed.
pub struct Hashed {
    inner: Box<dyn Read + Send>,
    hasher: blake3::Hasher,
}

impl Hashed {
    /// The digest of everything read so far.
    pub fn digest(&self) -> String {
        self.hasher.finalize().to_hex()[..DIGEST_CHARS].to_owned()
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
