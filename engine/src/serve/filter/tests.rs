use super::*;
use proptest::prelude::*;

fn resolve(path: &[String]) -> Option<(String, Kind)> {
    let kind = match path[0].as_str() {
        "name" | "tier" => Kind::Text,
        "seats" | "change" => Kind::Number,
        "live" => Kind::Truth,
        "seen" => Kind::Instant,
        "since" => Kind::Day,
        "attributes" if path.len() == 2 => Kind::Any,
        _ => return None,
    };
    Some((path.join("."), kind))
}

fn acme(field: &str) -> Option<Operand<'static>> {
    Some(match field {
        "name" => Operand::Text("Acme GmbH".into()),
        "seats" => Operand::Exact(Decimal::from(60)),
        "change" => Operand::Number(-0.25),
        "live" => Operand::Truth(true),
        "seen" => Operand::Instant(1_700_000_000_000_000),
        "since" => Operand::Day("2026-03-01".parse().unwrap()),
        "attributes.plan b" => Operand::Text("gold".into()),
        "attributes.rank" => Operand::Exact(Decimal::from(3)),
        _ => return None,
    })
}

#[track_caller]
fn check(text: &str, expected: bool) {
    let filter = Filter::parse(text, &resolve).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(filter.matches(&mut |field: &String| acme(field)), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, offset: usize, problem: &str) {
    let error = Filter::parse(text, &resolve).expect_err(text);
    assert_eq!((error.offset, error.problem.contains(problem)), (offset, true), "{text}: {error}");
}

#[test]
fn comparisons_follow_the_kind_of_the_field() {
    check("", true);
    check("  ", true);
    check(r#"name = "Acme GmbH""#, true);
    check("name = Acme", false);
    check("name:gmbh", true);
    check("seats >= 60", true);
    check("seats > 6e1", false);
    check("seats = 60.0", true);
    check("change<-0.2", true);
    check("live = true", true);
    check("seen < 2023-11-15", true);
    check("seen >= 2023-11-14T22:13:20Z", true);
    check("seen > 2023-11-14T23:13:20+01:00", false);
    check("since <= 2026-03-01", true);
}

#[test]
fn what_has_no_declared_kind_is_compared_by_type() {
    check("attributes.rank > 2", true);
    check(r#"attributes.rank = "3""#, false);
    check(r#"attributes.rank != "3""#, true);
    check(r#"attributes."plan b" = gold"#, true);
}

#[test]
fn a_comparison_with_what_is_absent_is_false() {
    check("tier = A", false);
    check("tier != A", false);
    check("NOT tier = A", true);
    check("tier:*", false);
    check("-tier:*", true);
    check("seats:*", true);
    check("seats:60", true);
}

#[test]
fn parentheses_say_what_goes_first() {
    check("seats > 50 AND live = true", true);
    check("tier = A OR seats > 50", true);
    check("NOT (tier = A OR seats > 50)", false);
    check("(tier = A AND seats > 50) OR (change < 0 AND live=true)", true);
    refused("tier = A AND seats > 5 OR live = true", 23, "parentheses");
}

#[test]
fn errors_name_the_offset() {
    refused("tear = A", 0, "no field \"tear\"");
    refused("tier A", 5, "expected =");
    refused("tier = ", 7, "expected a value");
    refused("tier = \"A", 7, "never closed");
    refused("seats > many", 8, "\"many\" is no number");
    refused("seen > noon", 7, "RFC 3339");
    refused("live < true", 5, "no order");
    refused("(tier = A", 9, "expected AND, OR or )");
    refused("tier = A tier = B", 9, "expected AND, OR or the end");
    refused("tier = A AND", 12, "expected a field");
    refused("attributes = 1", 0, "no field");
    refused(&"(".repeat(40), DEPTH_MAX + 1, "nested deeper");
    refused(&vec!["tier=A"; COMPARISONS_MAX + 1].join(" AND "), 64 * 11, "more than 64");
    refused(&" ".repeat(FILTER_BYTES_MAX + 1), FILTER_BYTES_MAX, "at most 4096");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text, &resolve);
    }

    #[test]
    fn no_soup_of_tokens_panics(tokens in prop::collection::vec(
        prop::sample::select(vec!["tier", "seats", "=", "<", ":", "AND", "OR", "NOT", "-", "(", ")", "\"", "'", "\\", "é", "*", "1", "."]), 0..20)) {
        for joint in ["", " "] {
            if let Err(error) = Filter::parse(&tokens.join(joint), &resolve) {
                prop_assert!(error.offset <= tokens.join(joint).len());
            }
        }
    }

    #[test]
    fn quoting_carries_any_text(text in "\\PC{1,30}") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let filter = Filter::parse(&format!("name = \"{quoted}\""), &resolve).unwrap();
        prop_assert!(filter.matches(&mut |_| Some(Operand::Text(text.clone().into()))));
    }
}
