//! Values that are never printed.

use std::fmt;

use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// A secret string: masked when printed, unless it is empty, and wiped from memory when dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a string.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The string itself.
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

/// Reads a list of strings or a single string. A string written as a list, as in flags and
/// environment variables, is parsed as one.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    texts(deserializer, |text| vec![text])
}

/// Like [`one_or_many`], and splits a string at its commas.
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

/// A TOML list.
#[derive(Deserialize)]
struct List {
    list: Vec<String>,
}

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of strings such as [\"one\", \"another\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if !text.trim_start().starts_with('[') {
            return Ok((self.split)(text.to_owned()));
        }
        let read = toml::from_str(&format!("list = {text}"));
        read.map(|List { list }| list)
            .map_err(|_| E::invalid_value(Unexpected::Other("not a list"), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        let what = |_| de::Error::invalid_value(Unexpected::Other("not a list of strings"), &self);
        while let Some(text) = list.next_element().map_err(what)? {
            texts.push(text);
        }
        Ok(texts)
    }
}
