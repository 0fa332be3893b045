//! Reads untrusted JSON: strict grammar, limits on sizes and depth, numbers kept as the text they were written in.
//!
//! Duplicate keys are rejected, and no number passes through binary floating point.

mod node;
mod reader;

use serde::de::IgnoredAny;

use crate::limits::Limits;
use crate::reject::{Reason, Rejection};

pub use node::{Fields, Node, read_number};

/// Reads one record that must be a JSON object.
///
/// # Errors
/// `too_large`, `not_json`, `not_an_object`, `duplicate_key`, `too_deep`, `over_limit`.
pub fn read_object<'a>(record: &'a [u8], limits: &Limits) -> Result<Fields<'a>, Rejection> {
    let kept = limits.record_bytes_max;
    if record.len() > kept {
        let detail = format!("the record is longer than record_bytes_max = {kept}");
        return Err(Rejection::new(Reason::TooLarge, detail));
    }
    let text = std::str::from_utf8(record).map_err(|error| {
        Rejection::new(Reason::NotJson, format!("byte {} starts no UTF-8 character", error.valid_up_to() + 1))
    })?;
    let text = text.trim_ascii();
    if !text.starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => {
                Rejection::new(Reason::NotAnObject, format!("the record is {}, not an object", kind_of(text)))
            }
            Err(error) => not_json(&error),
        });
    }
    reader::object_of(text, limits)
}

fn not_json(error: &serde_json::Error) -> Rejection {
    Rejection::new(Reason::NotJson, format!("not valid JSON: {error}"))
}

fn kind_of(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b'n') => "null",
        Some(b't' | b'f') => "a truth value",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidewatch_projections::value::Value;

    use super::*;

    fn limits() -> Limits {
        Limits {
            record_bytes_max: 200,
            depth_max: 3,
            text_bytes_max: 10,
            id_bytes_max: 5,
            fields_max: 3,
            items_max: 3,
        }
    }

    fn outcome(record: &[u8]) -> String {
        match read_object(record, &limits()) {
            Ok(fields) => {
                let mut out = Vec::new();
                match Node::Object(fields).to_value() {
                    Ok(value) => value.write_json(&mut out),
                    Err(rejection) => return rejection.to_string(),
                }
                String::from_utf8(out).unwrap()
            }
            Err(rejection) => rejection.to_string(),
        }
    }

    proptest! {
        #[test]
        fn texts_are_written_as_the_library_that_reads_them_writes_them(text in "\\PC*|[\\x00-\\x7f]*") {
            prop_assert_eq!(Value::Text(text.as_str().into()).to_json(), serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn every_limit_holds_at_its_edge_and_refuses_past_it() {
        for (record, expected) in [
            (r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":{"c":1}}}"#),
            (r#"{"a":{"b":{"c":{}}}}"#, "too_deep: nested deeper than depth_max = 3"),
            (r#"{"a":[[[]]]}"#, "too_deep: nested deeper than depth_max = 3"),
            (r#"{"a":"1234567890"}"#, r#"{"a":"1234567890"}"#),
            (r#"{"a":"12345678901"}"#, "over_limit: a text of 11 is past text_bytes_max = 10"),
            (r#"{"12345":1}"#, r#"{"12345":1}"#),
            (r#"{"123456":1}"#, "over_limit: a key of 6 is past id_bytes_max = 5"),
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"b":2,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3,"d":4}"#, "over_limit: an object of 4 is past fields_max = 3"),
            (r#"{"a":[1,2,3]}"#, r#"{"a":[1,2,3]}"#),
            (r#"{"a":[1,2,3,4]}"#, "over_limit: a list of 4 is past items_max = 3"),
            (r#"{"a":1e400}"#, r#"{"a":1e400}"#),
            (r#"{"a":10e400}"#, "over_limit: the number 10e400 is beyond 10^±400"),
            (r#"{"a":1e401}"#, "over_limit: the number 1e401 is beyond 10^±400"),
        ] {
            assert_eq!(outcome(record.as_bytes()), expected, "{record}");
        }
        let long = format!("{{{}}}", " ".repeat(198));
        assert_eq!(outcome(long.as_bytes()), "{}");
        let longer = format!("{{{}}}", " ".repeat(199));
        assert_eq!(outcome(longer.as_bytes()), "too_large: the record is longer than record_bytes_max = 200");
    }

    #[test]
    fn what_is_no_json_object_is_refused_by_kind() {
        for (record, expected) in [
            (&b"[1]"[..], "not_an_object: the record is a list, not an object"),
            (b" 7 ", "not_an_object: the record is a number, not an object"),
            (b"null", "not_an_object: the record is null, not an object"),
            (b"\"a\"", "not_an_object: the record is a text, not an object"),
            (b"{\"a\":\"\xff\"}", "not_json: byte 7 starts no UTF-8 character"),
            (b"{\"a\":1,\"a\":2}", "duplicate_key: the key \"a\" stands twice in one object"),
            (b"{\"a\":1,\"\\u0061\":2}", "duplicate_key: the key \"a\" stands twice in one object"),
            (b"{\"a\":{\"b\":1,\"b\":2}}", "duplicate_key: the key \"b\" stands twice in one object"),
        ] {
            assert_eq!(outcome(record), expected, "{}", String::from_utf8_lossy(record));
        }
        for record in [
            "",
            "{",
            "{}}",
            "{} {}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":tru}",
            "{\"a\":1,}",
            "{\"\\ud800\":1}",
            "\u{feff}{}",
        ] {
            assert!(
                outcome(record.as_bytes()).starts_with("not_json: "),
                "{record:?} gave {}",
                outcome(record.as_bytes())
            );
        }
    }

    #[test]
    fn numbers_keep_every_digit() {
        let record = r#"{"n":0.1000,"e":-1.50e3,"z":-0.0}"#;
        assert_eq!(outcome(record.as_bytes()), r#"{"e":-1500,"n":0.1,"z":0}"#);
        let record = r#"{"n":12345678901234567890.0987654321}"#;
        assert_eq!(outcome(record.as_bytes()), record);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(record in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = outcome(&record);
        }

        #[test]
        fn exactly_the_json_of_serde_json_is_accepted(
            record in r#"\{"a":[ \t]?(-?0?[0-9]{0,2}(\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?|"[a-zé"\\/bu0d8\x00-\x20]{0,9}"|\[[0-9,\[\]]{0,4}\]|true|nulll?|\{[",:1 ]{0,6}\}) ?\}?"#,
        ) {
            let theirs = serde_json::from_str::<serde_json::Value>(&record);
            let wide = Limits { depth_max: 64, ..Limits::default() };
            match read_object(record.as_bytes(), &wide) {
                Ok(_) => prop_assert!(theirs.is_ok(), "{record:?}"),
                Err(rejection) if rejection.reason == Reason::DuplicateKey => {}
                Err(rejection) => prop_assert!(theirs.is_err(), "{record:?}: {rejection}"),
            }
        }

        #[test]
        fn any_near_json_is_read_or_refused(record in r#"[\{\}\[\]":,0-9a-e.\\un \-]{0,60}"#) {
            let _ = outcome(record.as_bytes());
        }
    }
}
