//! Reads a Rust file as far as its imports go: tokens, without comments, strings and tests.

use std::collections::BTreeMap;

/// Segments of a path: `crate::log::Entry` is `["crate", "log", "Entry"]`.
pub(crate) type Segments<'a> = Vec<&'a str>;

/// A path in the code, with the inline modules around it.
#[derive(Debug, PartialEq)]
pub(crate) struct Named<'a> {
    /// Inline modules of the file in which the path stands, outermost first.
    pub(crate) within: Segments<'a>,
    pub(crate) path: Segments<'a>,
}

/// What the code of one file names, its test modules left out.
#[derive(Default)]
pub(crate) struct Source<'a> {
    /// Every path of two segments or more, and all that `use` brings in. Paths of other crates are among them.
    pub(crate) paths: Vec<Named<'a>>,
    /// Names that `use` brings into the file's own module, with what they stand for.
    pub(crate) aliases: BTreeMap<&'a str, Segments<'a>>,
    /// The modules it declares that lie in files of their own, in the order of their lines.
    pub(crate) children: Segments<'a>,
    /// Files that are compiled for tests only: the `tests` of `#[cfg(test)] mod tests;`.
    pub(crate) test_files: Segments<'a>,
}

impl<'a> Source<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        let (tokens, test_files) = without_tests(tokens(text));
        let mut source = Self { test_files, ..Self::default() };
        let mut inline: Vec<(&str, usize)> = Vec::new();
        let mut depth = 0;
        let mut at = 0;
        while at < tokens.len() {
            let within = || inline.iter().map(|(name, _)| *name).collect();
            match tokens[at..] {
                ["mod", name, "{", ..] => {
                    inline.push((name, depth));
                    depth += 1;
                    at += 3;
                }
                ["mod", name, ";", ..] => {
                    source.children.push(name);
                    at += 3;
                }
                ["{", ..] => {
                    depth += 1;
                    at += 1;
                }
                ["}", ..] => {
                    depth -= 1;
                    inline.pop_if(|(_, outside)| *outside == depth);
                    at += 1;
                }
                ["use", first, ..] if first != "<" => {
                    let mut imports = Vec::new();
                    at = import(&tokens, at + 1, &Vec::new(), &mut imports);
                    for (alias, path) in imports {
                        if inline.is_empty() {
                            source.aliases.insert(alias, path.clone());
                        }
                        source.paths.push(Named { within: within(), path });
                    }
                }
                [first, "::", ..] if is_name(first) => {
                    let (path, end) = path(&tokens, at);
                    source.paths.push(Named { within: within(), path });
                    at = end;
                }
                // What follows is an item of a type: `<T as Trait>::Item::NAME`.
                ["::", ..] => at = path(&tokens, at + 1).1,
                _ => at += 1,
            }
        }
        source
    }
}

/// The path that begins at a token, and the token after it.
fn path<'a>(tokens: &[&'a str], mut at: usize) -> (Segments<'a>, usize) {
    let mut segments = Vec::new();
    while tokens.get(at).is_some_and(|token| is_name(token)) {
        segments.push(tokens[at]);
        at += 1;
        if tokens.get(at) != Some(&"::") || !tokens.get(at + 1).is_some_and(|token| is_name(token)) {
            break;
        }
        at += 1;
    }
    (segments, at.max(1))
}

/// Reads one branch of a `use` tree and gives the token after it; what it brings in is collected under its name.
fn import<'a>(
    tokens: &[&'a str],
    mut at: usize,
    prefix: &Segments<'a>,
    found: &mut Vec<(&'a str, Segments<'a>)>,
) -> usize {
    let mut path = prefix.clone();
    while let Some(&token) = tokens.get(at) {
        at += 1;
        match token {
            "::" => {}
            "{" => {
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = import(tokens, at, &path, found);
                }
                return skip(tokens, at + 1, &[",", ";"]);
            }
            // The module itself: `use crate::log::{self, Entry}`, `use super::*`.
            "self" if !path.is_empty() => {}
            "*" => {}
            "as" => {
                found.push((tokens[at], path));
                return skip(tokens, at + 1, &[",", ";"]);
            }
            "}" => {
                at -= 1;
                break;
            }
            "," | ";" => break,
            name => path.push(name),
        }
    }
    if let Some(&last) = path.last() {
        found.push((last, path));
    }
    at
}

fn skip(tokens: &[&str], at: usize, ends: &[&str]) -> usize {
    at + usize::from(tokens.get(at).is_some_and(|token| ends.contains(token)))
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The tokens outside of modules for tests, and the names of such modules that lie in files of their own.
fn without_tests<'a>(tokens: Vec<&'a str>) -> (Vec<&'a str>, Segments<'a>) {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut files = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if let ["#", "[", "cfg", "(", "test", ")", "]", ..] = tokens[at..] {
            let mut item = at + 7;
            while tokens.get(item) == Some(&"#") {
                item = closing(&tokens, item + 1) + 1;
            }
            match tokens[item..] {
                ["mod", name, ";", ..] => {
                    files.push(name);
                    at = item + 3;
                    continue;
                }
                ["mod", _, "{", ..] => {
                    at = closing(&tokens, item + 2) + 1;
                    continue;
                }
                _ => {}
            }
        }
        kept.push(tokens[at]);
        at += 1;
    }
    (kept, files)
}

/// The bracket that closes the one at a place.
fn closing(tokens: &[&str], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match *token {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Names, `::` and single signs; comments, strings, characters and the marks of lifetimes are left out.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if let Some(comment) = rest.strip_prefix("/*") {
            2 + comment.find("*/").map_or(comment.len(), |end| end + 2)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = string(rest) {
            length
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            found.push(&rest[..length]);
            length
        } else if rest.starts_with("::") {
            found.push("::");
            2
        } else {
            if !first.is_whitespace() {
                found.push(&rest[..first.len_utf8()]);
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// The length of the string literal at the beginning of a text.
fn string(text: &str) -> Option<usize> {
    let bare = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - bare.len();
    if let Some(raw) = bare.strip_prefix('r') {
        let opened = raw.trim_start_matches('#');
        let hashes = &raw[..raw.len() - opened.len()];
        let body = opened.strip_prefix('"')?;
        let end = format!("\"{hashes}");
        return Some(prefix + 1 + hashes.len() + 1 + body.find(&end)? + end.len());
    }
    let body = bare.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(prefix + 1 + end + 1)
}

/// The length of the character literal at the beginning of a text, or of the mark of a lifetime.
fn character(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match (inside.next(), inside.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let after = escaped + 1;
            after + text[after..].find('\'').map_or(0, |end| end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn imports_are_read_through_comments_strings_and_tests() {
    let source = Source::read(
        r##"
        //! use crate::not;
        pub use crate::log::{self, Entry as E, frame::*};
        use super::{a::B, c};
        mod child;
        mod inline { use super::d; fn f() -> child::Type<'static> { crate::e::g('"', "crate::no", '\'', b'"') } }
        #[cfg(test)]
        #[expect(dead_code, reason = "no")]
        mod tests { use crate::no; }
        #[cfg(test)]
        mod apart;
        fn h() { let x = r#"use crate::no;"#; self::i::<u8>(); value.crate_::<T>(); }
        "##,
    );
    let paths: Vec<String> = source
        .paths
        .iter()
        .map(|named| [named.within.join("/"), named.path.join("::")].join(" ").trim().to_owned())
        .collect();
    assert_eq!(
        paths,
        [
            "crate::log",
            "crate::log::Entry",
            "crate::log::frame",
            "super::a::B",
            "super::c",
            "inline super::d",
            "inline child::Type",
            "inline crate::e::g",
            "self::i",
            "crate_"
        ]
    );
    assert_eq!(source.aliases["E"], ["crate", "log", "Entry"]);
    assert_eq!((source.children, source.test_files), (vec!["child"], vec!["apart"]));
}
