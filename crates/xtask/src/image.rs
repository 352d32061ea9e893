//! `cargo xtask image`: builds the image of `deploy/Dockerfile`, and tries it in a container.

mod base_image;
mod container;
mod docker;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use test_support::workspace::{output, root, run, target};
use test_support::{Doing as _, Outcome, failed};

use self::docker::Docker;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Put this program into the image, instead of compiling it in a container
    #[arg(long, value_name = "FILE")]
    prebuilt: Option<PathBuf>,
    /// The name of the image
    #[arg(long, default_value = "boxoffice:latest")]
    tag: String,
}

/// Why nothing was tried.
pub(crate) struct NotRun(pub(crate) String);

const DOCKERFILE: &str = "deploy/Dockerfile";

/// Files that the Dockerfile takes from the context even with a program that is there already.
const FROM_THE_CONTEXT: &[&str] = &["deploy/image.toml"];

/// Builds and tries the image. Without Docker this is a failure.
pub(crate) fn image(arguments: &Arguments) -> Outcome {
    let docker = Docker::find().map_err(|NotRun(why)| failed(why))?;
    prepare(&docker)?.map_err(|NotRun(why)| failed(why))?;
    build(&docker, arguments.prebuilt.as_deref(), &arguments.tag)?;
    let size = arguments.prebuilt.is_none().then_some(trial::LARGEST);
    let passed = trial::try_out(&docker, &arguments.tag, size)?;
    println!("{passed} checks of the image {} passed", arguments.tag);
    Ok(())
}

/// Tries the image with the program that the tests have built, and returns the number of checks.
/// The program has its debug information, so its size is not checked.
pub(crate) fn try_with_tested_program() -> Outcome<Result<u64, NotRun>> {
    const TAG: &str = "boxoffice:tested";
    let docker = match Docker::find() {
        Ok(docker) => docker,
        Err(why) => return Ok(Err(why)),
    };
    if !is_bookworm() {
        let why = "the tested program is built for this system, not for the image's, Debian 12";
        return Ok(Err(NotRun(why.to_owned())));
    }
    if let Err(why) = prepare(&docker)? {
        return Ok(Err(why));
    }
    build(&docker, Some(&target().join("debug/boxoffice")), TAG)?;
    let passed = trial::try_out(&docker, TAG, None);
    docker.says(&["image", "rm", TAG])?;
    passed.map(Ok)
}

/// Whether a program built here finds its C library in the image.
fn is_bookworm() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line == "VERSION_CODENAME=bookworm")
}

/// Makes sure that the base images are there.
fn prepare(docker: &Docker) -> Outcome<Result<(), NotRun>> {
    let text = fs::read_to_string(root().join(DOCKERFILE)).doing("reading the Dockerfile")?;
    for base in bases(&text) {
        if let Err(why) = base_image::pull_or_make(docker, base)? {
            return Ok(Err(why));
        }
    }
    Ok(Ok(()))
}

fn build(docker: &Docker, prebuilt: Option<&Path>, tag: &str) -> Outcome {
    let context = match prebuilt {
        Some(program) => Some(context_with(program)?),
        None => None,
    };
    let context_folder = context.as_ref().map_or(root(), |folder| folder.path().to_owned());
    let revision = revision()?;
    let mut command = docker.command(&["build", "--tag", tag, "--file"]);
    command.arg(root().join(DOCKERFILE));
    if prebuilt.is_some() {
        command.args(["--build-arg", "PROGRAM=prebuilt"]);
    }
    command.args(["--build-arg", &format!("REVISION={revision}")]);
    command.args(["--build-arg", concat!("VERSION=", env!("CARGO_PKG_VERSION"))]);
    command.arg(&context_folder).env("DOCKER_BUILDKIT", "1").env("BUILDKIT_PROGRESS", "plain");
    run(command)
}

/// The commit, and whether files differ from it.
fn revision() -> Outcome<String> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root()).args(["describe", "--always", "--abbrev=12", "--exclude=*", "--dirty"]);
    output(&mut git).map(|text| text.trim().to_owned())
}

/// A build context with this program.
fn context_with(program: &Path) -> Outcome<tempfile::TempDir> {
    let context = tempfile::tempdir().doing("making a build context")?;
    let copy = |from: &Path, name: &str| {
        let to = context.path().join(name);
        fs::create_dir_all(to.parent().unwrap_or(&to))
            .and_then(|()| fs::copy(from, &to))
            .doing(format!("copying {} into the build context", from.display()))
    };
    copy(program, "boxoffice")?;
    for name in FROM_THE_CONTEXT {
        copy(&root().join(name), name)?;
    }
    Ok(context)
}

/// The images that a Dockerfile is built from.
fn bases(dockerfile: &str) -> Vec<&str> {
    let mut bases: Vec<&str> = Vec::new();
    for line in dockerfile.lines() {
        let Some(from) = line.strip_prefix("FROM ") else { continue };
        let name = from.split(' ').next().unwrap_or(from);
        // Stages have no tag.
        if name.contains(':') && !bases.contains(&name) {
            bases.push(name);
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> String {
        fs::read_to_string(root().join(name)).unwrap()
    }

    #[test]
    fn stages_are_no_base_images() {
        let text = "FROM a:1 AS x\nRUN b\nFROM scratch AS y\nFROM ${P} AS z\nFROM a:1\nFROM b:2\n";
        assert_eq!(bases(text), ["a:1", "b:2"]);
    }

    /// The image ignores `rust-toolchain.toml`: the components it names are for developers.
    #[test]
    fn the_image_is_built_with_the_pinned_toolchain() {
        let pinned: toml::Table = toml::from_str(&read("rust-toolchain.toml")).unwrap();
        let version = pinned["toolchain"]["channel"].as_str().unwrap();
        assert_eq!(bases(&read(DOCKERFILE)), [format!("rust:{version}-bookworm")]);
    }
}
