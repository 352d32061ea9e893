//! Files in one compressed archive.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

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

    /// Writes the file, and returns what is in it: a line each.
    pub(super) fn write(self, path: &Path) -> io::Result<String> {
        let bytes = self.archive.into_inner()?.finish()?;
        let mut file = File::create(path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        Ok(self.contents)
    }
}
