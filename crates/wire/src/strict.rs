//! Which JSON is accepted: one text has one meaning, or it is refused.
//!
//! `serde_json` keeps the last of duplicate keys in maps, stops only at depth 128 and lets NUL
//! through; each of these makes two readers of one text disagree. The check runs over the whole
//! body before anything is read from it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep objects and arrays may nest, the outermost counted as one.
pub const MAX_DEPTH: usize = 16;

/// Why a text is not accepted: for the client, so it never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing at all.
    Empty,
    /// Not JSON in UTF-8 (RFC 8259), or a number out of range.
    NotJson,
    /// JSON, but not an object.
    NotAnObject,
    /// An object with a key twice.
    DuplicateKey,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A NUL character in a key or a text.
    Nul,
}

impl Refusal {
    /// What is wrong, in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "the body is empty; send a JSON object",
            Self::NotJson => "the body is not valid JSON in UTF-8",
            Self::NotAnObject => "the body must be a JSON object",
            Self::DuplicateKey => "a key stands twice in one object",
            Self::TooDeep => "the body nests deeper than 16 levels",
            Self::Nul => "a text holds the character U+0000",
        }
    }
}

/// Checks a whole body; answers it as text.
///
/// # Errors
/// The first [`Refusal`] met.
pub fn check(body: &[u8]) -> Result<&str, Refusal> {
    if body.is_empty() {
        return Err(Refusal::Empty);
    }
    let text = std::str::from_utf8(body).map_err(|_| Refusal::NotJson)?;
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        // Told apart only where it is JSON at all.
        return Err(match serde_json::from_str::<de::IgnoredAny>(text) {
            Ok(_) => Refusal::NotAnObject,
            Err(_) => Refusal::NotJson,
        });
    }
    let mut json = serde_json::Deserializer::from_str(text);
    Value { depth: 1 }.deserialize(&mut json).map_err(|error| refusal(&error))?;
    json.end().map_err(|_| Refusal::NotJson)?;
    Ok(text)
}

const DUPLICATE: &str = "vestibule: duplicate key";
const DEEP: &str = "vestibule: too deep";
const NUL: &str = "vestibule: nul";

fn refusal(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    [(DUPLICATE, Refusal::DuplicateKey), (DEEP, Refusal::TooDeep), (NUL, Refusal::Nul)]
        .into_iter()
        .find_map(|(mark, refusal)| text.starts_with(mark).then_some(refusal))
        .unwrap_or(Refusal::NotJson)
}

#[derive(Clone, Copy)]
struct Value {
    depth: usize,
}

impl Value {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        if self.depth > MAX_DEPTH {
            return Err(E::custom(DEEP));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

fn no_nul<E: de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom(NUL)) } else { Ok(()) }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        no_nul(text)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            no_nul(&key)?;
            if !keys.insert(key) {
                return Err(de::Error::custom(DUPLICATE));
            }
            entries.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A key, borrowed from the text unless it holds an escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(body: &[u8]) -> Refusal {
        check(body).unwrap_err()
    }

    #[test]
    fn i02_depth_is_bounded() {
        let nested = |n: usize| format!("{}{}", "{\"a\":".repeat(n) + "1", "}".repeat(n));
        assert!(check(nested(16).as_bytes()).is_ok());
        assert_eq!(refused(nested(17).as_bytes()), Refusal::TooDeep);
        let arrays = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(arrays.as_bytes()), Refusal::TooDeep);
    }

    #[test]
    fn i03_numbers_out_of_range_are_refused() {
        assert_eq!(refused(br#"{"a":1e400}"#), Refusal::NotJson);
        assert_eq!(
            refused(format!("{{\"a\":{}}}", "9".repeat(10_000)).as_bytes()),
            Refusal::NotJson
        );
        assert!(check(br#"{"a":[9007199254740993,-0,1.0,1e-400]}"#).is_ok());
    }

    #[test]
    fn i04_duplicate_keys_are_refused_at_every_level() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert_eq!(refused(body.as_bytes()), Refusal::DuplicateKey, "{body}");
        }
    }

    #[test]
    fn i05_other_encodings_are_refused() {
        assert_eq!(refused(b"{\"a\":\"\xff\"}"), Refusal::NotJson);
        assert_eq!(refused(br#"{"a":"\ud800"}"#), Refusal::NotJson);
        assert_eq!(refused("\u{feff}{}".as_bytes()), Refusal::NotJson);
        let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(refused(&utf16), Refusal::NotJson);
    }

    #[test]
    fn i06_nul_is_refused_in_texts_and_keys() {
        assert_eq!(refused(br#"{"a":"x\u0000"}"#), Refusal::Nul);
        assert_eq!(refused(br#"{"a\u0000":1}"#), Refusal::Nul);
        assert_eq!(refused(br#"{"a":["\u0000"]}"#), Refusal::Nul);
    }

    #[test]
    fn only_objects_are_bodies() {
        for body in ["[]", "1", "\"x\"", "null", "true"] {
            assert_eq!(refused(body.as_bytes()), Refusal::NotAnObject, "{body}");
        }
        assert_eq!(refused(b""), Refusal::Empty);
        for body in ["{", "{}x", "{\"a\":}", "x"] {
            assert_eq!(refused(body.as_bytes()), Refusal::NotJson, "{body}");
        }
    }

    proptest! {
        #[test]
        fn i21_no_bytes_make_the_check_panic(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = check(&body);
        }

        #[test]
        fn what_is_accepted_is_json_for_serde_too(body in "\\{[ -~]{0,40}\\}") {
            if check(body.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
            }
        }
    }
}
