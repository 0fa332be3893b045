//! The code map of docs/ARCHITECTURE.md, the `mod` lines and the files agree.

use std::collections::BTreeMap;
use std::fs;

use super::circles::way;
use super::modules::{CRATES, Crate, Module, child};
use super::{root, rust_files};

/// What stands in backquotes in the first column of the tables of docs/ARCHITECTURE.md.
fn code_map() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let rows: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|rest| rest.split_once('`'))
        .map(|(path, _)| path.to_owned())
        .collect();
    assert!(!rows.is_empty(), "docs/ARCHITECTURE.md has no code map");
    rows
}

/// The module that a row of a crate's own files speaks for: `engine/src/log.rs` and `engine/src/log/` are both `["log"]`.
fn module_of(row: &str, folder: &str) -> Option<Module> {
    let inside = row.strip_prefix(folder)?.strip_prefix('/')?;
    let name = inside.strip_suffix(".rs").unwrap_or(inside).trim_end_matches('/');
    (name != "main").then(|| name.split('/').map(str::to_owned).collect())
}

#[test]
fn every_row_of_the_code_map_exists_once() {
    let mut rows = code_map();
    for row in &rows {
        assert!(root().join(row).exists(), "docs/ARCHITECTURE.md maps {row}, which does not exist");
    }
    rows.sort();
    for pair in rows.windows(2) {
        assert_ne!(pair[0], pair[1], "docs/ARCHITECTURE.md maps it twice");
    }
}

/// Every file is declared by the file of its folder, and from there up to a row of the code map, whose words speak for it.
#[test]
fn every_source_file_is_declared_and_mapped() {
    let (files, rows) = (rust_files(), code_map());
    for folder in CRATES {
        let read = Crate::read(folder, &files);
        let mapped: Vec<Module> = rows.iter().filter_map(|row| module_of(row, folder)).collect();
        for module in read.modules.keys().filter(|module| !module.is_empty()) {
            let file = format!("{folder}/{}.rs", module.join("/"));
            let (name, parent) = module.split_last().unwrap();
            let parent = read.modules.get(parent);
            assert!(
                parent.is_some_and(|parent| parent.children.contains(&name.as_str())),
                "the file of its folder does not declare {file}"
            );
            assert!(
                mapped.iter().any(|row| module.starts_with(row)),
                "docs/ARCHITECTURE.md has no row for {file} or for a folder around it"
            );
        }
    }
}

/// Where one file of a folder has a row, every member has, in the order of the folder's `mod` lines: that of reading.
#[test]
fn the_code_map_follows_the_mod_lines() {
    let (files, rows) = (rust_files(), code_map());
    for folder in CRATES {
        let read = Crate::read(folder, &files);
        let mapped: Vec<Module> = rows.iter().filter_map(|row| module_of(row, folder)).collect();
        for (module, source) in &read.modules {
            let inside = || mapped.iter().filter_map(|row| row.strip_prefix(&module[..]));
            let is_listed = inside().any(|row| row.len() == 1 && !read.has_children(&child(module, &row[0])));
            let mut members: Vec<&String> = inside().filter_map(|row| row.first()).collect();
            members.dedup();
            assert!(
                !is_listed || members == source.children,
                "{folder}/{}: docs/ARCHITECTURE.md lists {members:?}, its mod lines {:?}",
                module.join("/"),
                source.children
            );
        }
    }
}

/// `lib.rs` lists the rooms in reading order: each uses only those above it. Circles are another test's.
#[test]
fn rooms_use_those_above_them() {
    let files = rust_files();
    for folder in CRATES {
        let read = Crate::read(folder, &files);
        let rooms = &read.modules[&[][..]].children;
        let place = |room: &str| rooms.iter().position(|other| *other == room);
        let uses = read.folders().remove(&[][..]).unwrap_or_default();
        let below: BTreeMap<(&str, &str), &str> = uses
            .iter()
            .flat_map(|(room, used)| used.iter().map(move |(used, why)| ((&**room, &**used), &**why)))
            .filter(|((room, used), _)| place(room) < place(used) && way(&uses, used, room).is_none())
            .collect();
        assert!(below.is_empty(), "{folder}: these use what lib.rs lists below them: {below:#?}");
    }
}
