//! Reading the configuration from where it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Map, Value};

use super::given::{self, is_like_a_key};
use super::{Config, invalid};

/// Where configuration is read from, besides the environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named on the command line; must be there.
    pub file: Option<PathBuf>,
    /// `KEY=VALUE` flags, later ones win.
    pub overrides: Vec<String>,
}

/// Why there is no configuration; each is one line, and none repeats a value, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable cannot be read.
    #[error("configuration: {0}")]
    Unreadable(String),
    /// A flag is not `KEY=VALUE`; which of them.
    #[error(
        "configuration: --set number {0} is not KEY=VALUE, such as --set queue.policy.batch=50"
    )]
    BadOverride(usize),
    /// A setting where the name of a file is expected.
    #[error(
        "configuration: --config takes the name of a file; a setting goes with --set KEY=VALUE"
    )]
    NoFile,
    /// A value that makes no sense.
    #[error("configuration: {key} {expected}")]
    Invalid {
        /// The key to change.
        key: String,
        /// What it should be.
        expected: String,
    },
}

impl From<config::ConfigError> for ConfigError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's list is open; of what is new there nothing is known, so nothing is repeated"
    )]
    fn from(error: config::ConfigError) -> Self {
        Self::Unreadable(match error {
            // A parser quotes the line it fell over: only where it was is told.
            config::ConfigError::FileParse { uri, cause } => {
                let said = cause.to_string();
                let place = said
                    .lines()
                    .next()
                    .filter(|line| line.starts_with("TOML parse error at line "));
                format!("{}: {}", uri.unwrap_or_default(), place.unwrap_or("is no TOML"))
            }
            // The file cannot be read; its name is told.
            config::ConfigError::Foreign(cause) => one_line(&cause.to_string()),
            _ => "it cannot be put together".to_owned(),
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The file looked for when none is named: `boxoffice.toml` beside the program.
const FILE_NAME: &str = "boxoffice.toml";

/// Reads and checks the configuration: defaults, then the file, then `BOXOFFICE__SECTION__KEY` variables, then flags.
///
/// # Errors
/// [`ConfigError`].
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    // So that whoever sets one key of a section keeps the defaults of its others, which differ from kind to kind.
    let mut builder =
        config::Config::builder().add_source(config::Config::try_from(&Config::default())?);
    if let Some(path) = file_of(sources) {
        if path.to_string_lossy().contains('=') && !path.exists() {
            return Err(ConfigError::NoFile);
        }
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let variables = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .try_parsing(true)
        .source(Some(variables(std::env::vars_os())?));
    builder = builder.add_source(variables);
    for (number, text) in (1..).zip(&sources.overrides) {
        builder = with_override(builder, number, text)?;
    }
    let config: Config = given::read(builder.build()?.cache)?;
    config.check()?;
    Ok(config)
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

/// The variables that are meant for this program.
fn variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Map<String, String>, ConfigError> {
    let mut ours = Map::new();
    for (name, value) in all {
        let Some(key) = name.to_str().and_then(key_of_variable) else { continue };
        if !is_path_of_keys(&key) {
            let which = format!("a variable whose name begins with {PREFIX}{SEPARATOR}");
            return Err(invalid(&which, "names no key: BOXOFFICE__QUEUE__ID is queue.id"));
        }
        let value = value
            .into_string()
            .map_err(|_| invalid(&key, "must be a text (in the environment)"))?;
        ours.insert(name.to_string_lossy().into_owned(), value);
    }
    Ok(ours)
}

/// `BOXOFFICE__QUEUE__ID` is `queue.id`; the name of a variable that is not ours is nothing.
fn key_of_variable(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let rest = name.strip_prefix(&PREFIX.to_lowercase())?.strip_prefix(SEPARATOR)?;
    Some(rest.replace(SEPARATOR, "."))
}

/// Whether this may be a key with its sections, such as `queue.id`; of another name nothing is repeated.
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
