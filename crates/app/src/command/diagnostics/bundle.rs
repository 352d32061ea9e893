//! Files in one compressed archive.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use domain::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// The folder that an unpacked bundle is.
const FOLDER: &str = "boxoffice-diagnostics";

/// An archive that is being filled, in memory: a bundle is written whole or not at all.
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
        // It shows a machine from inside: for its owner only.
        header.set_mode(0o600);
        self.archive.append_data(&mut header, format!("{FOLDER}/{name}"), text.as_bytes())?;
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.contents, "{:>9} {name}", text.len());
        Ok(())
    }

    /// Writes the file, for its owner alone, and returns what is in it: a line each. The file is written beside its place and
    /// then renamed, so that it appears whole. A file that is there is replaced; a link or anything else is refused.
    pub(super) fn write(self, path: &Path) -> io::Result<String> {
        refuse_what_is_no_file(path)?;
        let bytes = self.archive.into_inner()?.finish()?;
        let beside = beside(path)?;
        let written = write_new(&beside, &bytes).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // Where it could not be made, there is nothing to remove.
            let _ = fs::remove_file(&beside);
        }
        written.map(|()| self.contents)
    }
}

/// A link may lead anywhere, and a device or a directory is not to be replaced. A link that appears after this is replaced by
/// the renaming and not followed.
fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => Err(io::Error::other(
            "it is a link, which is not followed: name the file itself, or remove it",
        )),
        Ok(there) if !there.is_file() => {
            Err(io::Error::other("something that is no file is there"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A name beside the file that nobody can guess.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?.to_owned();
    name.push(format!(".{:016x}.part", fastrand::u64(..)));
    Ok(path.with_file_name(name))
}

/// Fails where anything is there, a link included.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
