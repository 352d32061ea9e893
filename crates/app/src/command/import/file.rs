//! The file of an import, read in bounded pieces.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressBarIter};

/// The largest file, in bytes: over a million dates with long titles.
const MAX_FILE: u64 = 1 << 30;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes after the byte order mark.
pub(super) type Bytes = Bounded<io::Take<BufReader<ProgressBarIter<File>>>>;

/// Opens a file, whose bytes the bar counts. An error is the rest of a sentence that begins with the file's name.
pub(super) fn open(path: &Path, max_record: usize, bar: &ProgressBar) -> Result<Bytes, String> {
    let failed = |error: io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() {
        return Err("is not a file".to_owned());
    }
    if facts.len() > MAX_FILE {
        return Err(format!("has more than {MAX_FILE} bytes: import it in parts"));
    }
    bar.set_length(facts.len());
    let mut file = BufReader::with_capacity(64 * 1024, bar.wrap_read(file));
    if file.fill_buf().map_err(failed)?.starts_with(BYTE_ORDER_MARK) {
        file.consume(BYTE_ORDER_MARK.len());
    }
    Ok(Bounded { inner: file.take(MAX_FILE), max: max_record, left: max_record })
}

/// Fails when one record takes more bytes than allowed.
pub(super) struct Bounded<R> {
    inner: R,
    max: usize,
    left: usize,
}

impl<R> Bounded<R> {
    /// The next record begins.
    pub(super) fn begin_record(&mut self) {
        self.left = self.max;
    }

    fn too_long(&self) -> io::Error {
        let why = format!("an entry has more than {} bytes: is a quote or bracket open?", self.max);
        io::Error::new(io::ErrorKind::InvalidData, why)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let fitting = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..fitting])?;
        self.left -= read;
        if read == 0 && fitting == 0 && !buffer.is_empty() {
            Err(self.too_long())
        } else {
            Ok(read)
        }
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(self.too_long());
        }
        let left = self.left;
        let bytes = self.inner.fill_buf()?;
        Ok(&bytes[..bytes.len().min(left)])
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.inner.consume(count);
    }
}
