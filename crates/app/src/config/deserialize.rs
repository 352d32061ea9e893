//! Deserializes the configured values, with errors that never contain a value: it may be a secret
//! in the wrong place.

use std::fmt;

use config::{ConfigError as LibraryError, Value, ValueKind};
use serde::Deserialize;
use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer as _, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

use super::ConfigError;

/// Deserializes a whole configuration.
///
/// # Errors
/// [`ConfigError::Invalid`] with the key, the expected value, and the origin of the value.
pub(super) fn read<T: for<'de> Deserialize<'de>>(values: Value) -> Result<T, ConfigError> {
    T::deserialize(Given(values)).map_err(Unusable::into_config_error)
}

/// Why a value cannot be used. Serde's descriptions of the value itself are dropped here.
#[derive(Debug, Default)]
pub(super) struct Unusable {
    /// The path to the key, innermost name first.
    path: Vec<String>,
    origin: Option<String>,
    /// What was expected, once known.
    wrong: Option<Wrong>,
}

#[derive(Debug)]
enum Wrong {
    /// The value is not this.
    Value(String),
    /// The key is unknown; these are the known ones.
    Key(&'static [&'static str]),
}

impl Unusable {
    fn expected(expected: impl fmt::Display) -> Self {
        Self { wrong: Some(Wrong::Value(in_plain_words(&expected.to_string()))), ..Self::default() }
    }

    /// Adds the expected value and the origin if they are not known more precisely.
    fn or(mut self, expected: &str, origin: Option<&str>) -> Self {
        self.wrong.get_or_insert_with(|| Wrong::Value(in_plain_words(expected)));
        self.origin = self.origin.or_else(|| origin.map(ToOwned::to_owned));
        self
    }

    fn below(mut self, name: &str) -> Self {
        self.path.push(name.to_owned());
        self
    }

    fn into_config_error(self) -> ConfigError {
        let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        let from = self.origin.map(|origin| format!(" (in {origin})")).unwrap_or_default();
        let (key, expected) = match self.wrong {
            Some(Wrong::Key(known)) => {
                let (name, section) = path.split_last().unwrap_or((&"", &[]));
                let section = section.join(".");
                let key = match (is_like_a_key(name), section.is_empty()) {
                    (true, true) => (*name).to_owned(),
                    (true, false) => format!("{section}.{name}"),
                    (false, true) => "one of the sections".to_owned(),
                    (false, false) => format!("a key of {section}"),
                };
                (key, format!("is unknown; expected one of {}", known.join(", ")))
            }
            Some(Wrong::Value(expected)) => (path.join("."), format!("must be {expected}")),
            None => (path.join("."), "cannot be used".to_owned()),
        };
        ConfigError::Invalid { key, expected: expected + &from }
    }
}

/// Whether an unknown name may be repeated in an error. Keys consist of lower-case words, which no
/// generated secret does.
pub(super) fn is_like_a_key(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Replaces serde's names of Rust types with plain ones.
fn in_plain_words(expected: &str) -> String {
    let most: u64 = match expected {
        "u8" => u8::MAX.into(),
        "u16" => u16::MAX.into(),
        "u32" => u32::MAX.into(),
        "u64" | "usize" => u64::MAX,
        "f32" | "f64" => return "a number".to_owned(),
        "a boolean" => return "true or false".to_owned(),
        "a string" | "a borrowed string" | "a character" => return "a string".to_owned(),
        "socket address" => return "an address and port such as 127.0.0.1:8081".to_owned(),
        other => return other.to_owned(),
    };
    format!("a whole number from 0 to {most}")
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot be used")
    }
}

impl std::error::Error for Unusable {}

impl Error for Unusable {
    /// The message may come from any library and may repeat the value.
    fn custom<T: fmt::Display>(_said: T) -> Self {
        Self::default()
    }

    fn invalid_type(_given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_length(_length: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_given: &str, known: &'static [&'static str]) -> Self {
        Self::expected(one_of(known))
    }

    fn unknown_field(_given: &str, known: &'static [&'static str]) -> Self {
        Self { wrong: Some(Wrong::Key(known)), ..Self::default() }
    }
}

impl From<LibraryError> for Unusable {
    fn from(_said: LibraryError) -> Self {
        Self::default()
    }
}

fn one_of(known: &[&str]) -> String {
    match known {
        [only] => format!("`{only}`"),
        _ => format!("one of `{}`", known.join("`, `")),
    }
}

fn expectation<'de, V: Visitor<'de>>(visitor: &V) -> String {
    let expected: &dyn Expected = visitor;
    expected.to_string()
}

/// A value with its origin.
struct Given(Value);

impl Given {
    fn read<T>(
        self,
        expected: &str,
        read: impl FnOnce(Value) -> Result<T, Unusable>,
    ) -> Result<T, Unusable> {
        let origin = self.0.origin().map(ToOwned::to_owned);
        read(self.0).map_err(|error| error.or(expected, origin.as_deref()))
    }
}

macro_rules! whole_numbers {
    ($($method:ident $convert:ident $visit:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusable> {
            self.read(&expectation(&visitor), |value| visitor.$visit(value.$convert()?))
        })*
    };
}

impl<'de> Deserializer<'de> for Given {
    type Error = Unusable;

    whole_numbers! {
        deserialize_u8 into_uint visit_u64,
        deserialize_u16 into_uint visit_u64,
        deserialize_u32 into_uint visit_u64,
        deserialize_u64 into_uint visit_u64,
        deserialize_i8 into_int visit_i64,
        deserialize_i16 into_int visit_i64,
        deserialize_i32 into_int visit_i64,
        deserialize_i64 into_int visit_i64,
        deserialize_f32 into_float visit_f64,
        deserialize_f64 into_float visit_f64,
        deserialize_bool into_bool visit_bool,
        deserialize_str into_string visit_string,
        deserialize_string into_string visit_string
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusable> {
        self.read(&expectation(&visitor), |value| match value.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(value),
            ValueKind::I64(value) => visitor.visit_i64(value),
            ValueKind::I128(value) => visitor.visit_i128(value),
            ValueKind::U64(value) => visitor.visit_u64(value),
            ValueKind::U128(value) => visitor.visit_u128(value),
            ValueKind::Float(value) => visitor.visit_f64(value),
            ValueKind::String(value) => visitor.visit_string(value),
            ValueKind::Array(values) => visitor.visit_seq(Elements(values.into_iter())),
            ValueKind::Table(table) => {
                visitor.visit_map(Entries { left: table.into_iter(), next: None })
            }
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unusable> {
        let expected = format!("a section, whose keys are set one by one: {}", fields.join(", "));
        self.read(&expected, |value| {
            let ValueKind::Table(table) = value.kind else { return Err(Unusable::default()) };
            visitor.visit_map(Entries { left: table.into_iter(), next: None })
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unusable> {
        self.read(&one_of(variants), |value| {
            let text: StringDeserializer<Unusable> = value.into_string()?.into_deserializer();
            visitor.visit_enum(text)
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusable> {
        if matches!(self.0.kind, ValueKind::Nil) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unusable> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Elements(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Elements {
    type Error = Unusable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unusable> {
        self.0.next().map(|value| seed.deserialize(Given(value))).transpose()
    }
}

struct Entries<I> {
    left: I,
    next: Option<(String, Value)>,
}

impl<'de, I: Iterator<Item = (String, Value)>> MapAccess<'de> for Entries<I> {
    type Error = Unusable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unusable> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        let origin = value.origin().map(ToOwned::to_owned);
        let key: StringDeserializer<Unusable> = name.clone().into_deserializer();
        let read =
            seed.deserialize(key).map_err(|error| error.or("", origin.as_deref()).below(&name))?;
        self.next = Some((name, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unusable> {
        // serde requests a key before each value.
        let (name, value) = self.next.take().ok_or_else(Unusable::default)?;
        seed.deserialize(Given(value)).map_err(|error| error.below(&name))
    }
}
