//! Loads the configuration from its sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Map, Value};

use super::deserialize::{self, is_like_a_key};
use super::renamed::{self, OldKey};
use super::{Config, ConfigError, invalid, secret_files};

/// The sources of the configuration, in addition to the environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named on the command line; it must exist.
    pub file: Option<PathBuf>,
    /// `KEY=VALUE` flags, later ones win.
    pub overrides: Vec<String>,
}

/// The default file name, beside the program.
const FILE_NAME: &str = "boxoffice.toml";

/// A valid configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The keys that were set under old names.
    pub old_keys: Vec<OldKey>,
}

/// Loads and validates the configuration: defaults, then the file, then `BOXOFFICE__SECTION__KEY`
/// variables, then flags. A secret may be in a file that one of these names.
///
/// # Errors
/// [`ConfigError`].
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    // The defaults are a source of their own: a section that sets one key keeps the defaults of its
    // other keys, which differ between sections of the same type.
    let mut all =
        config::Config::builder().add_source(config::Config::try_from(&Config::default())?);
    let mut old_keys = Vec::new();
    for source in [file(sources)?, Some(environment()?), Some(flags(sources)?)] {
        let Some(mut source) = source else { continue };
        // In each source by itself, so that a later source wins under either name.
        old_keys.extend(renamed::rename(&mut source.cache)?);
        all = all.add_source(source);
    }
    let mut values = all.build()?.cache;
    secret_files::read(&mut values)?;
    let checked =
        deserialize::read(values).and_then(|config: Config| config.check().map(|()| config));
    let explained = |error| old_keys.iter().fold(error, |error, key| key.explain(error));
    let config = checked.map_err(explained)?;
    Ok(Loaded { config, old_keys })
}

/// The file's values, if there is one.
fn file(sources: &Sources) -> Result<Option<config::Config>, ConfigError> {
    let Some(path) = file_of(sources) else { return Ok(None) };
    // Its name is not repeated: it may be a secret in the wrong place.
    if !path.exists() {
        return Err(ConfigError::NoFile);
    }
    let file = File::from(path).format(FileFormat::Toml);
    Ok(Some(config::Config::builder().add_source(file).build()?))
}

fn environment() -> Result<config::Config, ConfigError> {
    let variables = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .source(Some(variables(std::env::vars_os())?));
    Ok(config::Config::builder().add_source(variables).build()?)
}

fn flags(sources: &Sources) -> Result<config::Config, ConfigError> {
    let mut flags = config::Config::builder();
    for (number, text) in (1..).zip(&sources.overrides) {
        flags = with_override(flags, number, text)?;
    }
    Ok(flags.build()?)
}

fn file_of(sources: &Sources) -> Option<PathBuf> {
    let beside = || {
        let program = std::env::current_exe().ok()?;
        Some(program.parent()?.join(FILE_NAME)).filter(|path: &PathBuf| Path::exists(path))
    };
    sources.file.clone().or_else(beside)
}

const PREFIX: &str = "BOXOFFICE";
const SEPARATOR: &str = "__";

/// The variables meant for this program.
fn variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Map<String, String>, ConfigError> {
    let mut ours = Map::new();
    for (name, value) in all {
        let Some(key) = name.to_str().and_then(key_of_variable) else { continue };
        if !is_path_of_keys(&key) {
            let which = format!("a variable whose name begins with {PREFIX}{SEPARATOR}");
            return Err(invalid(
                &which,
                "does not name a key: queue.id, for example, is BOXOFFICE__QUEUE__ID",
            ));
        }
        let value = value
            .into_string()
            .map_err(|_| invalid(&key, "must be valid UTF-8 (in the environment)"))?;
        ours.insert(name.to_string_lossy().into_owned(), value);
    }
    Ok(ours)
}

/// `BOXOFFICE__QUEUE__ID` is `queue.id`; `None` for a variable without the prefix.
fn key_of_variable(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let rest = name.strip_prefix(&PREFIX.to_lowercase())?.strip_prefix(SEPARATOR)?;
    Some(rest.replace(SEPARATOR, "."))
}

/// Whether this may be a key with its sections, such as `queue.id`. Errors repeat no other name.
fn is_path_of_keys(key: &str) -> bool {
    key.split('.').all(is_like_a_key)
}

type Builder = config::ConfigBuilder<config::builder::DefaultState>;

fn with_override(builder: Builder, number: usize, text: &str) -> Result<Builder, ConfigError> {
    let (key, value) = text.split_once('=').ok_or(ConfigError::BadOverride(number))?;
    let key = Some(key.trim())
        .filter(|key| is_path_of_keys(key))
        .ok_or(ConfigError::BadOverride(number))?;
    let origin = format!("--set number {number}");
    Ok(builder.set_override(key, Value::new(Some(&origin), value))?)
}
