//! A process that outlives us by a moment, to clean up after us.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Doing as _, Outcome, failed};

/// Waits until its standard input ends, which is when our process does, however that comes; then runs what it was given
/// and removes the folder. When we did not say goodbye, something of ours may have been making or starting the server
/// just then, and go on for a moment, so it looks again. Being in a group of its own it does not get the terminal's
/// Ctrl-C.
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

/// The server's process id is known before there is a server, so that whoever cleans up never misses one.
pub(crate) const LAUNCH: &str = r#"echo $$ >"$1" && shift && exec "$@""#;

/// With its folder moved away a server that is about to start finds no configuration, and does not.
pub(crate) const CLEAN_UP: &str = r#"
mv -- "$1" "$1.ended" || exit
read -r pid <"$1.ended/server.pid" && [ "$pid" -gt 1 ] && kill -9 "$pid"
rm -rf -- "$1.ended" || { sleep 1; rm -rf -- "$1.ended"; }
"#;

pub(crate) struct Keeper {
    process: Child,
    /// Closing this is what the keeper waits for.
    until: Option<ChildStdin>,
}

impl Keeper {
    /// Keeps `folder` until we are gone or this is dropped; `clean_up` runs before the folder goes.
    pub(crate) fn of(folder: &Path, clean_up: &Command) -> Outcome<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("keeper").arg(folder);
        command.arg(clean_up.get_program()).args(clean_up.get_args());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut process = command.spawn().doing("starting a keeper")?;
        let until = process.stdin.take();
        if until.is_none() {
            Err(failed("a keeper has no input"))
        } else {
            Ok(Self { process, until })
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.until.take() {
            let _ = keeper.write_all(b"goodbye\n");
        }
        let _ = self.process.wait();
    }
}
