//! No two files import each other, directly or in a circle.
//!
//! The rule holds in every folder, between its members: a member is a file together with the folder of its children.
//! At the top of a crate the members are its rooms. A parent and its own children may name each other: a child is a
//! private part of its parent. What a parent re-exports counts as naming the child that defines it, so a circle cannot
//! hide behind the parent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{CRATES, Crate, Uses};
use super::rust_files;

/// The shortest way from one member of a folder to another that it uses by way of others; from a member to itself, the
/// shortest circle.
pub(crate) fn way<'a>(uses: &'a Uses, start: &'a str, end: &str) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(member) = queue.pop_front() {
        for next in uses.get(member).into_iter().flatten().map(|(next, _)| next.as_str()) {
            if next == end {
                let mut way = vec![member];
                while *way.last()? != start {
                    way.push(came_from[way.last()?]);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, member);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Circles of a folder, the shortest through each member: `opening, writer`, and where each uses the next.
fn circles_of(uses: &Uses) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for circle in uses.keys().filter_map(|start| way(uses, start, start)) {
        let members: BTreeSet<&str> = circle.iter().copied().collect();
        let why: Vec<String> = circle
            .iter()
            .zip(circle.iter().cycle().skip(1))
            .map(|(user, used)| format!("{user} → {used} ({})", uses[*user][*used]))
            .collect();
        found.entry(members.into_iter().collect::<Vec<_>>().join(", ")).or_insert(why.join(", "));
    }
    found
}

/// Every circle of a crate, as its folder and members, with the places that close it.
fn circles(read: &Crate) -> BTreeMap<String, String> {
    let mut circles = BTreeMap::new();
    for (folder, uses) in read.folders() {
        let place = [&[read.folder.to_owned()], &folder[..]].concat().join("/");
        for (members, why) in circles_of(&uses) {
            circles.insert(format!("{place}: {members}"), why);
        }
    }
    circles
}

#[test]
fn no_two_files_import_each_other() {
    let files = rust_files();
    let mut found = BTreeMap::new();
    for folder in CRATES {
        found.append(&mut circles(&Crate::read(folder, &files)));
    }
    let told: Vec<String> = found.iter().map(|(circle, why)| format!("{circle}\n    {why}")).collect();
    assert!(told.is_empty(), "these import each other in a circle:\n{}", told.join("\n"));
}

#[test]
fn circles_are_found_through_re_exports_and_folders() {
    let found = |files: &[(&str, &str)]| -> Vec<String> {
        let files =
            files.iter().map(|(path, text)| (format!("c/src/{path}.rs"), (*text).to_owned())).collect();
        circles(&Crate::read("c/src", &files)).into_keys().collect()
    };
    let own_child = [("lib", "mod a;"), ("a", "mod b; fn f() { b::g() }"), ("a/b", "use super::T;")];
    assert!(found(&own_child).is_empty(), "a child is a private part of its parent");
    let straight = [("a", "use crate::b::T;"), ("b", "#[cfg(test)] mod tests { use crate::a::U; }")];
    assert!(found(&straight).is_empty(), "tests do not count");
    let siblings = [
        ("log", "mod reader; mod writer; pub use reader::R; pub use writer::W;"),
        ("log/reader", "fn f(w: super::W) {}"),
        ("log/writer", "use crate::log::R;"),
    ];
    assert_eq!(found(&siblings), ["c/src/log: reader, writer"]);
    let rooms = [("a", ""), ("a/x", "use crate::b::T;"), ("b", ""), ("b/y", "use crate::a::x::U;")];
    assert_eq!(found(&rooms), ["c/src: a, b"]);
    let three =
        [("a", "use crate::b;"), ("b", "fn f() { crate::c::g() }"), ("c", "use super::a::{T, U as V};")];
    assert_eq!(found(&three), ["c/src: a, b, c"]);
}
