//! Base images for machines that reach no registry: made from Debian packages and the toolchain of
//! this machine, under the name that the Dockerfile uses.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use test_support::workspace::{output, run};
use test_support::{
    Doing as _, Outcome, can_debootstrap, failed, find_or_install_debootstrap, run_within,
};

use super::NotRun;
use super::docker::Docker;

/// The label of a stand-in.
const LABEL: &str = "boxoffice.stand-in";

/// A base image is a gigabyte.
const PULL_LIMIT: Duration = Duration::from_secs(900);

/// Debian packages that the public image of Rust has too, as far as the Dockerfile needs them.
const PACKAGES: &str = "ca-certificates,gcc,libc6-dev";

/// Where the certificates are on Debian.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Makes sure that the image is there. Says so if it is a stand-in.
pub(crate) fn pull_or_make(docker: &Docker, name: &str) -> Outcome<Result<(), NotRun>> {
    let label = format!("{{{{index .Config.Labels {LABEL:?}}}}}");
    let there = docker.attempt(&["image", "inspect", "--format", &label, name])?;
    match there {
        (true, label) if label.is_empty() => return Ok(Ok(())),
        (true, _) => {
            println!("note: {name} is a stand-in, made on this machine from Debian packages");
            return Ok(Ok(()));
        }
        (false, _) => {}
    }
    println!("$ docker pull {name}");
    let (status, said) = run_within(&mut docker.command(&["pull", "--quiet", name]), PULL_LIMIT)?;
    if status.success() {
        return Ok(Ok(()));
    }
    println!("note: {name} cannot be pulled: {}", said.trim());
    if !name.starts_with("rust:") {
        return Err(failed(format!("there is no stand-in for {name}")));
    }
    if !can_debootstrap() {
        let why = format!("{name} cannot be pulled, and only root can make a stand-in");
        return Ok(Err(NotRun(why)));
    }
    println!("note: making a stand-in from Debian packages and this machine's Rust");
    make(docker, name).map(Ok)
}

fn make(docker: &Docker, name: &str) -> Outcome {
    let folder = tempfile::tempdir().doing("making a folder for a base image")?;
    let root = folder.path().join("root");
    let mut debootstrap = Command::new(find_or_install_debootstrap(|line| println!("{line}"))?);
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), "bookworm"]);
    debootstrap.arg(&root).stdout(Stdio::null());
    run(debootstrap)?;
    // What this machine trusts: its way to the registry of crates may need it.
    fs::copy(Path::new("/").join(CERTIFICATES), root.join(CERTIFICATES))
        .doing("copying the certificates")?;
    copy_toolchain(&root)?;
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--directory").arg(&root);
    tar.args(["--exclude=./var/cache/apt/*", "--exclude=./dev/*", "."]).stdout(Stdio::piped());
    let mut tar = tar.spawn().doing("starting tar")?;
    let archive = tar.stdout.take().ok_or_else(|| failed("tar has no output"))?;
    let mut import = docker.command(&["import", "--change"]);
    import.arg(format!("LABEL {LABEL}=true"));
    import.args(["--change", "ENV PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    import.args(["--change", "ENV CARGO_HOME=/usr/local/cargo", "-", name]).stdin(archive);
    let imported = output(&mut import);
    let archived = tar.wait().doing("waiting for tar")?;
    imported?;
    if archived.success() { Ok(()) } else { Err(failed(format!("tar ended with {archived}"))) }
}

/// The compiler, cargo and the standard library, without the documentation.
fn copy_toolchain(root: &Path) -> Outcome {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let there = root.join("usr/local/rust");
    fs::create_dir_all(&there).doing("making a folder for the toolchain")?;
    let mut copy = Command::new("cp");
    copy.arg("--archive");
    for part in ["bin", "lib", "libexec"] {
        let part = Path::new(sysroot.trim()).join(part);
        if part.exists() {
            copy.arg(part);
        }
    }
    copy.arg(there);
    run(copy)
}
