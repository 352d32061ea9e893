//! Why there is no configuration.

/// Why the configuration was not loaded. Each message is one line and repeats no value, which may
/// be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable cannot be read.
    #[error("configuration: {0}")]
    Unreadable(String),
    /// The flag with this number is not `KEY=VALUE`.
    #[error(
        "configuration: --set number {0} is not KEY=VALUE, such as --set queue.policy.batch=50"
    )]
    BadOverride(usize),
    /// The file does not exist.
    #[error(
        "configuration: the file given with --config does not exist (a setting goes with --set \
        KEY=VALUE)"
    )]
    NoFile,
    /// The value of a key is invalid.
    #[error("configuration: {key} {expected}")]
    Invalid {
        /// The key to change.
        key: String,
        /// The expected value.
        expected: String,
    },
}

impl From<config::ConfigError> for ConfigError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library may add variants, whose text may repeat a value"
    )]
    fn from(error: config::ConfigError) -> Self {
        Self::Unreadable(match error {
            // A parser quotes the line with the error, so only its position is repeated.
            config::ConfigError::FileParse { uri, cause } => {
                let said = cause.to_string();
                let place = said
                    .lines()
                    .next()
                    .filter(|line| line.starts_with("TOML parse error at line "));
                format!("{}: {}", uri.unwrap_or_default(), place.unwrap_or("is not valid TOML"))
            }
            // The file cannot be read; the message contains its name.
            config::ConfigError::Foreign(cause) => one_line(&cause.to_string()),
            _ => "the sources cannot be merged".to_owned(),
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
