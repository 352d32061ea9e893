//! Values that are never shown.

use std::fmt;

use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A secret text: masked wherever it is printed (an empty one has nothing to hide), wiped from memory when dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

const MASK: &str = "(secret)";

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { MASK })
    }
}

/// Reads a list of texts, or a single one. A text that is written like a list is read as one, as it comes in flags and
/// environment variables.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    texts(deserializer, |text| vec![text])
}

/// The same for texts without a comma, which may stand between them.
pub(super) fn comma_separated<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    let parts = |text: String| {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(ToOwned::to_owned).collect()
    };
    texts(deserializer, parts)
}

fn texts<'de, D, T>(deserializer: D, split: fn(String) -> Vec<String>) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    let texts = deserializer.deserialize_any(TextsVisitor { split })?;
    Ok(texts.into_iter().map(T::from).collect())
}

struct TextsVisitor {
    split: fn(String) -> Vec<String>,
}

/// A list as TOML has it.
#[derive(Deserialize)]
struct List {
    list: Vec<String>,
}

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts such as [\"one\", \"another\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if !text.trim_start().starts_with('[') {
            return Ok((self.split)(text.to_owned()));
        }
        let read = toml::from_str(&format!("list = {text}"));
        read.map(|List { list }| list)
            .map_err(|_| E::invalid_value(Unexpected::Other("no list"), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        let what = |_| de::Error::invalid_value(Unexpected::Other("no list of texts"), &self);
        while let Some(text) = list.next_element().map_err(what)? {
            texts.push(text);
        }
        Ok(texts)
    }
}
