//! A process that briefly outlives the test process, to clean up after it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Doing as _, Outcome, failed};

/// Waits for the end of its standard input, which comes when the test process ends for any reason.
/// It then runs the given command and removes the folder. After an end without a goodbye, a command
/// of the test process may still be creating or starting the server, so the reaper checks again. It
/// runs in its own process group so that it does not receive the terminal's Ctrl-C.
const SCRIPT: &str = r#"
folder=$1
shift
clean() {
    "$@" >/dev/null 2>&1
    rm -rf -- "$folder"
}
while read -r word; do said=$word; done
clean "$@"
[ "$said" = goodbye ] && exit
for _ in 1 2 3; do
    sleep 1
    [ -e "$folder" ] && clean "$@"
done
"#;

/// The file with the process id of a server that was started with [`LAUNCH`].
pub(crate) const PID_FILE: &str = "server.pid";

/// Writes the process id before the server starts, so that a cleanup never misses a server.
pub(crate) const LAUNCH: &str = r#"echo $$ >"$1" && shift && exec "$@""#;

/// Moves the folder first: a server that is about to start then finds no configuration and exits.
pub(crate) const CLEAN_UP: &str = r#"
mv -- "$1" "$1.ended" || exit
read -r pid <"$1.ended/server.pid" && [ "$pid" -gt 1 ] && kill -9 "$pid"
rm -rf -- "$1.ended" || { sleep 1; rm -rf -- "$1.ended"; }
"#;

pub(crate) struct Reaper {
    process: Child,
    /// The reaper waits until this is closed.
    until: Option<ChildStdin>,
}

impl Reaper {
    /// Keeps `folder` until the process ends or this is dropped; runs `clean_up` before it removes
    /// the folder.
    pub(crate) fn of(folder: &Path, clean_up: &Command) -> Outcome<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("reaper").arg(folder);
        command.arg(clean_up.get_program()).args(clean_up.get_args());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut process = command.spawn().doing("starting a reaper")?;
        let until = process.stdin.take();
        if until.is_none() {
            Err(failed("a reaper without standard input"))
        } else {
            Ok(Self { process, until })
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(mut reaper) = self.until.take() {
            let _ = reaper.write_all(b"goodbye\n");
        }
        let _ = self.process.wait();
    }
}
