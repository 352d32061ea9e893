//! Keys that had another name in the version before. The old names still work, with a warning; the
//! next version removes this list.

use std::fmt;

use config::{Value, ValueKind};

use super::deserialize::is_like_a_key;
use super::{ConfigError, invalid};

/// Section, old name, new name. `*` is any section at this place.
const RENAMED: &[(&[&str], &str, &str)] = &[
    (&["breaker", "*"], "longest_half_open", "max_half_open"),
    (&["breaker", "*"], "longest_wait_in_open", "max_wait_in_open"),
    (&["cache"], "hear_every", "invalidation_interval"),
    (&["overload", "polling"], "faster", "max_multiple"),
    (&["redis", "queue"], "max_under_way", "max_in_flight"),
];

/// A key that was set under its old name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OldKey {
    section: String,
    old: &'static str,
    new: &'static str,
    origin: Option<String>,
}

impl fmt::Display for OldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, old, new, origin } = self;
        write!(f, "configuration: {section}.{old} is now called {section}.{new}")?;
        write!(f, "; the next version will refuse the old name")?;
        origin.as_ref().map_or(Ok(()), |origin| write!(f, " (in {origin})"))
    }
}

impl OldKey {
    /// Adds the name that the operator wrote to an error about this key.
    pub(super) fn explain(&self, error: ConfigError) -> ConfigError {
        let Self { section, old, new, origin } = self;
        let ConfigError::Invalid { key, expected } = &error else { return error };
        if *key != format!("{section}.{new}") {
            return error;
        }
        let at = origin.as_ref().map(|origin| format!(" in {origin}")).unwrap_or_default();
        invalid(key, format!("{expected} (given by its old name {old}{at})"))
    }
}

/// Renames the old keys of one source and returns them.
///
/// # Errors
/// [`ConfigError::Invalid`] if the source has both names of one key.
pub(super) fn rename(source: &mut Value) -> Result<Vec<OldKey>, ConfigError> {
    let mut found = Vec::new();
    for &(section, old, new) in RENAMED {
        rename_in(source, section, "", (old, new), &mut found)?;
    }
    Ok(found)
}

fn rename_in(
    table: &mut Value,
    below: &[&str],
    section: &str,
    (old, new): (&'static str, &'static str),
    found: &mut Vec<OldKey>,
) -> Result<(), ConfigError> {
    let ValueKind::Table(keys) = &mut table.kind else { return Ok(()) };
    let Some((next, below)) = below.split_first() else {
        let Some(value) = keys.remove(old) else { return Ok(()) };
        if keys.contains_key(new) {
            let key = format!("{section}.{new}");
            let twice = format!("is given twice, also by its old name {old}");
            return Err(invalid(&key, &twice));
        }
        let origin = value.origin().map(ToOwned::to_owned);
        found.push(OldKey { section: section.to_owned(), old, new, origin });
        keys.insert(new.to_owned(), value);
        return Ok(());
    };
    // Another name than that of a key is no section. It may be a secret, and is reported elsewhere.
    let sections = keys.iter_mut().filter(|(name, _)| is_like_a_key(name));
    for (name, value) in sections.filter(|(name, _)| *next == "*" || *next == **name) {
        let section = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        rename_in(value, below, &section, (old, new), found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference;

    #[test]
    fn every_new_name_is_a_key_and_no_old_name_is() {
        let reference = reference::markdown();
        for (section, old, new) in RENAMED {
            let section = section.join(".").replace('*', "queue");
            assert!(reference.contains(&format!("| `{section}.{new}` |")), "{section}.{new}");
            assert!(!reference.contains(&format!("| `{section}.{old}` |")), "{section}.{old}");
        }
    }
}
