//! Secrets in files: the content of the file that `postgres.url_file` names is `postgres.url`.

use std::fs::File;
use std::io::Read as _;

use config::{Map, Value, ValueKind};

use super::{ConfigError, invalid};

/// The keys whose value may be in a file.
pub(super) const KEYS: &[&str] = &[
    "postgres.url",
    "queue.keys",
    "redis.cache.sentinel.password",
    "redis.cache.url",
    "redis.queue.sentinel.password",
    "redis.queue.url",
    "telemetry.otlp.headers",
];

const SUFFIX: &str = "_file";

/// The maximum size of such a file, in bytes.
const LARGEST: u64 = 64 << 10;

/// Replaces every name of a file with the content of the file, under the key of the secret.
///
/// # Errors
/// [`ConfigError::Invalid`] if the secret is given in both ways, or the file cannot be read. It
/// repeats neither the content nor the name, which may be a secret in the wrong place.
pub(super) fn read(values: &mut Value) -> Result<(), ConfigError> {
    for key in KEYS {
        let Some((section, name)) = section_of(values, key) else { continue };
        let Some(path) = section.remove(&format!("{name}{SUFFIX}")) else { continue };
        let path = path.into_string().unwrap_or_default();
        if section.get(name).is_some_and(is_given) {
            return Err(invalid(key, format!("and {key}{SUFFIX} must not both be given")));
        }
        let secret = content_of(&path)
            .map_err(|why| invalid(&format!("{key}{SUFFIX}"), format!("must name a file {why}")))?;
        let origin = format!("the file of {key}{SUFFIX}");
        section.insert(name.to_owned(), Value::new(Some(&origin), secret));
    }
    Ok(())
}

/// The table that has this key, and the key's name in it.
fn section_of<'v, 'k>(
    values: &'v mut Value,
    key: &'k str,
) -> Option<(&'v mut Map<String, Value>, &'k str)> {
    let ValueKind::Table(table) = &mut values.kind else { return None };
    match key.split_once('.') {
        Some((section, rest)) => section_of(table.get_mut(section)?, rest),
        None => Some((table, key)),
    }
}

/// Whether the value differs from the default, which is empty for every secret.
fn is_given(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Nil => false,
        ValueKind::String(text) => !text.is_empty(),
        ValueKind::Array(values) => !values.is_empty(),
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_)
        | ValueKind::Table(_) => true,
    }
}

/// The content without its final line break, or what the file should be.
fn content_of(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("that can be read: {error}");
    // Opening a pipe without a writer would wait for ever.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("that can be read: it is not a regular file".to_owned());
    }
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut content))
        .map_err(cannot)?;
    if content.len() as u64 > LARGEST {
        return Err(format!("of at most {LARGEST} bytes"));
    }
    let mut text = String::from_utf8(content).map_err(|_| "with valid UTF-8".to_owned())?;
    let length = text
        .strip_suffix('\n')
        .map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    text.truncate(length);
    if text.is_empty() { Err("that is not empty".to_owned()) } else { Ok(text) }
}
