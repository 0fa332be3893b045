//! Rules of the repository that neither the compiler nor the lints hold.
#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the repository itself, not the engine's files"
)]

mod circles;
mod map;
mod modules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Past this many lines a file hides a second noun.
const FILE_LINES_MAX: usize = 800;
/// Files past the limit, with the reason that they are one thing all the same.
const LONG_FILES: &[(&str, &str)] = &[];
/// The only file that names the embedded database: everything in it can be deleted without changing an answer.
const SLED_FILE: &str = "engine/src/read/index.rs";
/// The only file that reads the wall clock.
const CLOCK_FILE: &str = "engine/src/clock.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("engine/ lies in the repository").to_owned()
}

/// Every text file of the project with its path from the root, build results and caches left out.
fn files() -> BTreeMap<String, String> {
    fn walk(directory: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_symlink()
                || ["target", ".git", ".cache", "node_modules", "__pycache__"].contains(&name)
            {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, found);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text);
            }
        }
    }
    let root = root();
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found
}

fn rust_files() -> BTreeMap<String, String> {
    files().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect()
}

/// The part of a source file before its tests.
fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code)
}

fn offenders(rule: impl Fn(&str, &str) -> bool) -> Vec<String> {
    rust_files().into_iter().filter(|(path, text)| rule(path, text)).map(|(path, _)| path).collect()
}

/// The names in a manifest's `[dependencies]`.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let allowed: [(&str, &[&str]); 4] = [
        ("projections", &[]),
        ("proto", &[]),
        ("ingest", &["tidewatch-projections", "tidewatch-proto"]),
        ("engine", &["tidewatch-ingest", "tidewatch-projections", "tidewatch-proto"]),
    ];
    for (package, allowed) in allowed {
        for dependency in dependencies(package) {
            assert!(
                !dependency.starts_with("tidewatch-") || allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn projections_are_pure() {
    for io in ["tokio", "rdkafka", "tonic", "axum", "metrics", "tracing", "sled", "tempfile"] {
        assert!(
            !dependencies("projections").contains(io),
            "projections must not depend on {io}: they do no IO"
        );
    }
    for word in ["std::fs", "std::net", "std::io::stdout", "std::thread", "async fn", "SystemTime"] {
        let found = offenders(|path, text| {
            path.starts_with("projections/src/") && without_tests(text).contains(word)
        });
        assert!(found.is_empty(), "projections are pure, but {found:?} say {word}");
    }
}

#[test]
fn one_file_names_sled() {
    let found = offenders(|path, text| {
        path != SLED_FILE && path.contains("src/") && (text.contains("sled::") || text.contains("use sled"))
    });
    assert!(found.is_empty(), "{SLED_FILE} alone may use sled, not {found:?}");
}

#[test]
fn one_file_reads_the_wall_clock() {
    let found = offenders(|path, text| {
        path != CLOCK_FILE
            && path.contains("/src/")
            && ["SystemTime::now", "Timestamp::now", "Zoned::now"]
                .iter()
                .any(|call| without_tests(text).contains(call))
    });
    assert!(found.is_empty(), "{CLOCK_FILE} alone may read the machine's clocks, not {found:?}");
}

#[test]
fn unsafe_code_is_confined_and_explained() {
    let explained = |text: &str| {
        let words = text.split_whitespace().collect::<String>();
        words.contains("#![expect(unsafe_code,reason=") || words.contains("#[expect(unsafe_code,reason=")
    };
    let found =
        offenders(|path, text| path.contains("/src/") && text.contains("unsafe {") && !explained(text));
    assert!(found.is_empty(), "unsafe code without #![expect(unsafe_code, reason = …)] in {found:?}");
}

#[test]
fn files_stay_small() {
    for (path, text) in files() {
        let lines = text.lines().count();
        let code =
            [".rs", ".py", ".proto", ".java"].iter().any(|end| path.ends_with(end)) || path.ends_with("run");
        let listed = LONG_FILES.iter().any(|(long, _)| *long == path);
        assert!(
            !code || listed || lines <= FILE_LINES_MAX,
            "{path} has {lines} lines, more than {FILE_LINES_MAX}"
        );
        assert!(!listed || lines > FILE_LINES_MAX, "{path} is short again: take it off the list");
    }
}

#[test]
fn nothing_names_a_machine() {
    // Written in parts, so that this file passes its own rule.
    let words = [
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    for (path, text) in files() {
        for word in words {
            assert!(!text.contains(word) || path == "Cargo.lock", "{path} says {word}");
        }
    }
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let allow = concat!("#[al", "low(");
    let found = offenders(|_, text| text.contains(allow) || text.contains(&allow.replace("#[", "#![")));
    assert!(found.is_empty(), "use #[expect(…, reason = …)] in {found:?}");
}

#[test]
fn every_invariant_names_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let invariants = page.split("## Invariants").nth(1).unwrap().split("##").next().unwrap();
    let code: String = rust_files().into_values().collect();
    let named: Vec<&str> =
        invariants.lines().filter_map(|line| line.trim().strip_prefix("Tests: ")).collect();
    assert_eq!(named.len(), 10, "one line of tests for each of the ten invariants");
    for test in named.iter().flat_map(|line| line.split('`').skip(1).step_by(2)) {
        assert!(
            code.contains(&format!("fn {test}(")),
            "docs/ARCHITECTURE.md names the test {test}, which does not exist"
        );
    }
}

#[test]
fn every_command_and_option_of_the_readme_exists() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let folder = root().join("engine/src/cli");
    let mut code = fs::read_to_string(root().join("engine/src/cli.rs")).unwrap();
    for (path, text) in rust_files() {
        if root().join(path).starts_with(&folder) {
            code += &text;
        }
    }
    let program = |line: &str| line.starts_with("$T ") || line.starts_with("target/release/tidewatch ");
    let lines: Vec<&str> = page.lines().map(str::trim).filter(|line| program(line)).collect();
    assert!(lines.len() > 5, "the README shows the program at work");
    for option in lines.iter().flat_map(|line| line.split(' ')).filter_map(|word| word.strip_prefix("--")) {
        let field = option.replace('-', "_");
        let known = code.contains(&format!("{field}: ")) || code.contains(&format!("long = \"{option}\""));
        assert!(known, "README.md says --{option}, which no command has");
    }
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    for (path, text) in files().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for target in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            let file = target.split('#').next().unwrap();
            let local = !file.is_empty() && !file.contains("://") && !file.contains(' ');
            assert!(!local || folder.join(file).exists(), "{path} links to {target}, which does not exist");
        }
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    // Written last of all: until it is there, it promises nothing.
    let readme = fs::read_to_string(root().join("README.md")).unwrap_or_default();
    let run = fs::read_to_string(root().join("run")).unwrap();
    for command in readme.lines().filter_map(|line| line.trim_start_matches("$ ").strip_prefix("./run ")) {
        let verb = command.split_whitespace().next().unwrap();
        assert!(
            run.contains(&format!("\n{verb})\n")),
            "README.md says `./run {verb}`, which ./run does not know"
        );
    }
}
