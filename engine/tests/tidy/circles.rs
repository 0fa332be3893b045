//! No two files import each other, directly or in a circle.
//!
//! The rule holds in every folder, between its members: a member is a file together with the folder of its children.
//! At the top of a crate the members are its rooms. A parent and its own children may name each other: a child is a
//! private part of its parent. What a parent re-exports counts as naming the child that defines it, so a circle cannot
//! hide behind the parent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::rust_files;
use super::source::Source;

/// Circles that are still to be broken; a broken one is taken off.
const KNOWN: &[&str] = &[
    "engine/src: basis, control",
    "engine/src: books, directory, history",
    "engine/src/log: opening, writer",
    "engine/src/serve: info, listen",
    "ingest/src/kafka: config, setting",
    "ingest/src/mapping: clock, value",
    "projections/src: activity, series",
    "projections/src: metric, status",
];

/// A module of a crate by the names on its way from the root: `["log", "writer"]`.
type Module = Vec<String>;

/// The modules of one crate that lie in files of their own, tests left out.
struct Crate<'a> {
    /// The folder of its root: `engine/src`.
    folder: &'a str,
    modules: BTreeMap<Module, Source<'a>>,
}

impl<'a> Crate<'a> {
    fn read(folder: &'a str, files: &'a BTreeMap<String, String>) -> Self {
        let mut modules = BTreeMap::new();
        for (path, text) in files {
            let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_suffix(".rs")) else {
                continue;
            };
            let module: Module = match name.trim_start_matches('/') {
                "lib" => Vec::new(),
                "main" => continue,
                name => name.split('/').map(str::to_owned).collect(),
            };
            modules.insert(module, Source::read(text));
        }
        let tests: Vec<Module> = modules
            .iter()
            .flat_map(|(module, source)| source.test_files.iter().map(|name| child(module, name)))
            .collect();
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { folder, modules }
    }

    /// The file whose code a path names, if it is one of this crate: `use` lines are followed to where the name is defined.
    fn resolve(&self, within: &[String], path: &[&str]) -> Option<Module> {
        self.follow(within, path, 0)
    }

    fn follow(&self, within: &[String], path: &[&str], depth: usize) -> Option<Module> {
        // More than any chain of re-exports has: two that name each other are left to the compiler.
        const FOLLOWED_MAX: usize = 16;
        let (first, mut rest) = path.split_first()?;
        let mut module = match *first {
            "crate" => Module::new(),
            "self" => within.to_vec(),
            "super" => within[..within.len().checked_sub(1)?].to_vec(),
            name => {
                let own = child(within, name);
                if self.modules.contains_key(&own) {
                    own
                } else {
                    let alias = self.modules.get(within)?.aliases.get(name)?;
                    if depth == FOLLOWED_MAX || alias.first() == Some(first) {
                        return None;
                    }
                    return self.follow(within, &[alias, rest].concat(), depth + 1);
                }
            }
        };
        while let Some((next, further)) = rest.split_first() {
            if *next == "super" {
                module.pop()?;
            } else if self.modules.contains_key(&child(&module, next)) {
                module.push((*next).to_owned());
            } else if let Some(alias) = self.modules.get(&module).and_then(|source| source.aliases.get(next))
                && depth < FOLLOWED_MAX
            {
                // A name of another crate: what stands for it here is still this module's.
                return self.follow(&module, &[alias, further].concat(), depth + 1).or(Some(module));
            } else {
                break;
            }
            rest = further;
        }
        // An inline module lies in the file around it.
        while !self.modules.contains_key(&module) {
            module.pop()?;
        }
        Some(module)
    }

    /// For every folder, which of its members uses which other, with the first place that does.
    fn folders(&self) -> BTreeMap<Module, Uses> {
        let mut folders: BTreeMap<Module, Uses> = BTreeMap::new();
        for (module, source) in &self.modules {
            for named in &source.paths {
                let within: Module =
                    module.iter().cloned().chain(named.within.iter().map(|&name| name.to_owned())).collect();
                let Some(used) = self.resolve(&within, &named.path) else { continue };
                let shared = module.iter().zip(&used).take_while(|(ours, theirs)| ours == theirs).count();
                let (Some(ours), Some(theirs)) = (module.get(shared), used.get(shared)) else { continue };
                folders
                    .entry(module[..shared].to_vec())
                    .or_default()
                    .entry(ours.clone())
                    .or_default()
                    .entry(theirs.clone())
                    .or_insert_with(|| format!("{}.rs: {}", module.join("/"), named.path.join("::")));
            }
        }
        folders
    }

    /// Every circle, as its folder and members, with the places that close it.
    fn circles(&self) -> BTreeMap<String, String> {
        let mut circles = BTreeMap::new();
        for (folder, uses) in self.folders() {
            let place = [&[self.folder.to_owned()], &folder[..]].concat().join("/");
            for (members, why) in circles_of(&uses) {
                circles.insert(format!("{place}: {members}"), why);
            }
        }
        circles
    }
}

/// Who uses whom in one folder, with a place that shows it.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The shortest way from a member back to itself.
fn circle_through<'a>(uses: &'a Uses, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(member) = queue.pop_front() {
        for next in uses.get(member).into_iter().flatten().map(|(next, _)| next.as_str()) {
            if next == start {
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
    for way in uses.keys().filter_map(|start| circle_through(uses, start)) {
        let members: BTreeSet<&str> = way.iter().copied().collect();
        let why: Vec<String> = way
            .iter()
            .zip(way.iter().cycle().skip(1))
            .map(|(user, used)| format!("{user} → {used} ({})", uses[*user][*used]))
            .collect();
        found.entry(members.into_iter().collect::<Vec<_>>().join(", ")).or_insert(why.join(", "));
    }
    found
}

#[test]
fn no_two_files_import_each_other() {
    let files = rust_files();
    let mut found = BTreeMap::new();
    for folder in ["projections/src", "ingest/src", "engine/src"] {
        let read = Crate::read(folder, &files);
        assert!(!read.modules.is_empty(), "{folder} has no files");
        found.append(&mut read.circles());
    }
    let known: BTreeSet<&str> = KNOWN.iter().copied().collect();
    let new: Vec<String> = found
        .iter()
        .filter(|(circle, _)| !known.contains(circle.as_str()))
        .map(|(circle, why)| format!("{circle}\n    {why}"))
        .collect();
    assert!(new.is_empty(), "these import each other in a circle:\n{}", new.join("\n"));
    let gone: Vec<&str> = known.into_iter().filter(|circle| !found.contains_key(*circle)).collect();
    assert!(gone.is_empty(), "these circles are broken: take them off the list: {gone:#?}");
}

#[test]
fn circles_are_found_through_re_exports_and_folders() {
    let circles = |files: &[(&str, &str)]| -> Vec<String> {
        let files =
            files.iter().map(|(path, text)| (format!("c/src/{path}.rs"), (*text).to_owned())).collect();
        Crate::read("c/src", &files).circles().into_keys().collect()
    };
    let own_child = [("lib", "mod a;"), ("a", "mod b; fn f() { b::g() }"), ("a/b", "use super::T;")];
    assert!(circles(&own_child).is_empty(), "a child is a private part of its parent");
    let straight = [("a", "use crate::b::T;"), ("b", "#[cfg(test)] mod tests { use crate::a::U; }")];
    assert!(circles(&straight).is_empty(), "tests do not count");
    let siblings = [
        ("log", "mod reader; mod writer; pub use reader::R; pub use writer::W;"),
        ("log/reader", "fn f(w: super::W) {}"),
        ("log/writer", "use crate::log::R;"),
    ];
    assert_eq!(circles(&siblings), ["c/src/log: reader, writer"]);
    let rooms = [("a", ""), ("a/x", "use crate::b::T;"), ("b", ""), ("b/y", "use crate::a::x::U;")];
    assert_eq!(circles(&rooms), ["c/src: a, b"]);
    let three =
        [("a", "use crate::b;"), ("b", "fn f() { crate::c::g() }"), ("c", "use super::a::{T, U as V};")];
    assert_eq!(circles(&three), ["c/src: a, b, c"]);
}
