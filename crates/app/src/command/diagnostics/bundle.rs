//! A compressed archive of text files.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use domain::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// The folder that a bundle unpacks to.
const FOLDER: &str = "boxoffice-diagnostics";

/// An archive under construction, in memory: a bundle is written completely or not at all.
pub(super) struct Bundle {
    archive: Builder<GzEncoder<Vec<u8>>>,
    taken_at: u64,
    contents: String,
}

impl Bundle {
    pub(super) fn new(taken_at: Timestamp) -> Self {
        let archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let taken_at = taken_at.as_second().try_into().unwrap_or(0);
        Self { archive, taken_at, contents: String::new() }
    }

    pub(super) fn add(&mut self, name: &str, text: String) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mtime(self.taken_at);
        // Readable only by its owner: it exposes the inside of a machine.
        header.set_mode(0o600);
        self.archive.append_data(&mut header, format!("{FOLDER}/{name}"), text.as_bytes())?;
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.contents, "{:>9} {name}", text.len());
        Ok(())
    }

    /// Writes the file, readable only by its owner, and returns its contents, one line per entry. A
    /// temporary file is written beside it and then renamed, so that the bundle appears atomically.
    /// An existing file is replaced; a link, a directory or a device is refused.
    pub(super) fn write(self, path: &Path) -> io::Result<String> {
        refuse_what_is_no_file(path)?;
        let bytes = self.archive.into_inner()?.finish()?;
        let beside = beside(path)?;
        let written = write_new(&beside, &bytes).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // If the file could not be created, there is nothing to remove.
            let _ = fs::remove_file(&beside);
        }
        written.map(|()| self.contents)
    }
}

/// A link may lead anywhere, and replacing a device or a directory does harm. A link created after
/// this check is replaced by the rename, not followed.
fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => Err(io::Error::other(
            "it is a link, which is not followed: name its target, or remove it",
        )),
        Ok(there) if !there.is_file() => Err(io::Error::other("the path is not a regular file")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// An unpredictable name beside the file.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name =
        path.file_name().ok_or_else(|| io::Error::other("the path has no file name"))?.to_owned();
    name.push(format!(".{:016x}.part", fastrand::u64(..)));
    Ok(path.with_file_name(name))
}

/// Fails if the path exists, even as a link.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
