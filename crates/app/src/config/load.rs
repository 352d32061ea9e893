//! Reading the configuration from where it is.

use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};

use super::Config;

/// Where configuration is read from, besides the environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named on the command line; must be there.
    pub file: Option<PathBuf>,
    /// `KEY=VALUE` flags, later ones win.
    pub overrides: Vec<String>,
}

/// Why there is no configuration; each is one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file, variable or flag cannot be read, or has an unknown key or a value of the wrong kind.
    #[error("configuration: {0}")]
    Unreadable(String),
    /// A flag is not `KEY=VALUE`; how it begins.
    #[error("configuration: --set {0}… is not KEY=VALUE, such as --set queue.policy.batch=50")]
    BadOverride(String),
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
    fn from(error: config::ConfigError) -> Self {
        // A parser quotes the line it fell over, and the line may hold a secret: only where it was is told.
        Self::Unreadable(if let config::ConfigError::FileParse { uri, cause } = error {
            let place = cause.to_string().lines().next().unwrap_or_default().to_owned();
            format!("{}: {place}", uri.unwrap_or_default())
        } else {
            one_line(&error.to_string())
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
    let environment = Environment::with_prefix("BOXOFFICE")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("queue.keys");
    // So that whoever sets one key of a section keeps the defaults of its others, which differ from kind to kind.
    let mut builder = config::Config::builder().add_source(config::Config::try_from(&Config::default())?);
    if let Some(path) = file_of(sources) {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    builder = builder.add_source(environment);
    for text in &sources.overrides {
        builder = with_override(builder, text)?;
    }
    let config: Config = builder.build()?.try_deserialize()?;
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

type Builder = config::ConfigBuilder<config::builder::DefaultState>;

fn with_override(builder: Builder, text: &str) -> Result<Builder, ConfigError> {
    let Some((key, value)) = text.split_once('=') else {
        // What was meant as a value may be a secret; only what could be a key is repeated.
        let is_of_a_key = |c: &char| c.is_ascii_alphanumeric() || ['.', '_'].contains(c);
        return Err(ConfigError::BadOverride(text.chars().take_while(is_of_a_key).take(40).collect()));
    };
    Ok(match key.trim() {
        "queue.keys" => {
            let keys: Vec<&str> = value.split(',').filter(|key| !key.is_empty()).collect();
            builder.set_override("queue.keys", keys)?
        }
        key => builder.set_override(key, value)?,
    })
}
