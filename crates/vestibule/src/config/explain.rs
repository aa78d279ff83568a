//! Turns what serde says into words for an operator, without repeating a value.

use crate::text::nearest;

/// What is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

impl Said {
    /// Only what is wrong.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// The same with what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Puts a text of serde into plain words. A text of another origin comes back as it is.
pub(crate) fn explain(text: &str) -> Said {
    if let Some(rest) = text.strip_prefix("unknown field ") {
        return unknown("unknown key", rest, "this table takes no keys");
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        return unknown("unknown value", rest, "no value is possible here");
    }
    if let Some(rest) = text.strip_prefix("missing field ") {
        return Said::new(format!("missing {}", rest.replace('`', "\"")));
    }
    if let Some(rest) = text.strip_prefix("invalid type: ") {
        return wrong_type(rest);
    }
    if let Some((_, expected)) =
        text.strip_prefix("invalid value: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        return wrong_value(expected);
    }
    Said::new(text)
}

/// What a setting looks like, for those whose type alone does not say it.
pub(crate) fn example(path: &str) -> Option<&'static str> {
    let key = path.rsplit('.').next().unwrap_or(path);
    Some(match (path, key) {
        ("limits.register" | "limits.login" | "limits.password" | "limits.read", _) => {
            "write \"60/min\", or \"off\""
        }
        ("server.trusted_proxies", _) => "write a list of texts, [\"10.0.0.0/8\"]",
        ("egress.allow", _) => "write a list of texts, [\"127.0.0.1:9229\"]",
        ("egress.roots", _) => "write a list of texts, [\"certs/root.pem\"]",
        ("server.listen" | "admin.listen", _) => "for instance \"127.0.0.1:8080\"",
        ("telemetry.log_format", _) => "known: auto, pretty, json",
        (_, "origins") => "write a list of texts, [\"https://game.example\"]",
        (_, "algorithm") => "known: hmac-sha256, hmac-sha1",
        _ => return None,
    })
}

/// What to do about a word that is none of the known ones.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    nearest(word, known.clone()).map_or_else(
        || format!("known: {}", known.collect::<Vec<_>>().join(", ")),
        |best| format!("did you mean \"{best}\"?"),
    )
}

fn unknown(what: &str, rest: &str, nothing_known: &str) -> Said {
    // The words stand in backticks: the wrong one first, then those that are expected.
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let word = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let help = if known.is_empty() {
        nothing_known.to_owned()
    } else {
        suggest(word, known.iter().copied())
    };
    Said::new(format!("{what} \"{word}\"")).help(help)
}

fn wrong_type(rest: &str) -> Said {
    let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
    // `found` goes on with the value itself, which could be a secret in the wrong place.
    let found = match found.split([' ', '`', '"']).next().unwrap_or_default() {
        "string" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        _ => "something else",
    };
    Said::new(format!("must be {}, not {found}", plain_type(expected)))
}

fn wrong_value(expected: &str) -> Said {
    let said = Said::new(format!("must be {}", plain_type(expected)));
    if expected.contains("env:NAME") {
        return said.help(
            "a secret never stands in the configuration: put it into an environment variable or a file and name that",
        );
    }
    said
}

fn plain_type(expected: &str) -> &str {
    match expected {
        "a string" | "str" | "string" => "a text",
        "a boolean" | "boolean" => "true or false",
        // What serde expects of a word that is one of several: an enum.
        "string or map" => "a text",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_gets_the_nearest_one() {
        let said = explain("unknown field `lisen`, expected one of `listen`, `public_url`");
        assert_eq!(said.message, "unknown key \"lisen\"");
        assert_eq!(said.help.unwrap(), "did you mean \"listen\"?");
    }

    #[test]
    fn a_key_that_resembles_nothing_gets_the_list() {
        let said = explain("unknown field `zzz`, expected `listen` or `public_url`");
        assert_eq!(said.help.unwrap(), "known: listen, public_url");
        let said = explain("unknown field `zzz`, there are no fields");
        assert_eq!(said.help.unwrap(), "this table takes no keys");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_repeated() {
        let said = explain("invalid type: string \"hunter2, expected x\", expected u32");
        assert_eq!(said.message, "must be a whole number of 0 or more, not a text");
    }
}
