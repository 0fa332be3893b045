//! Commands on a directory at rest: those that read leave every file as it was, and one that is held is refused.
#![expect(clippy::disallowed_methods, reason = "an operator looks at files and directories")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidewatch_projections::model::DEFAULT;

use crate::child;
use crate::places::{Directory, Files, Place as _, Said, Server, fleet, program};

/// When every file was last written, and what it holds. The lock file names its last holder, and is no data.
fn files(root: &Path) -> BTreeMap<PathBuf, (SystemTime, blake3::Hash)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        match kind.is_dir() {
            true => found.extend(files(&path)),
            false if path.ends_with("LOCK") => {}
            false => {
                let modified = path.metadata().unwrap().modified().unwrap();
                let held = blake3::hash(&std::fs::read(&path).unwrap());
                found.insert(path, (modified, held));
            }
        }
    }
    found
}

/// Runs commands, each of which must succeed, say something and leave every file as it was; answers what each said.
pub fn reads(files_of_test: &Files, directory: &Directory, commands: &[&[&str]]) -> Vec<String> {
    let temporary = files_of_test.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let before = files(&directory.0);
    assert!(!before.is_empty());
    let read = |command: &&[&str]| {
        let mut reading = program();
        reading.args(*command).args(directory.named()).env("TMPDIR", &temporary);
        let said = Said::from(child::output(&mut reading));
        assert_eq!(said.code, Some(0), "{command:?}: {}", said.stderr);
        assert!(!said.stdout.is_empty(), "{command:?}");
        assert_eq!(files(&directory.0), before, "{command:?}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "{command:?}");
        said.stdout
    };
    commands.iter().map(read).collect()
}

fn reads_leave_all_as_it_was(files_of_test: &Files, directory: &Directory) {
    let model = files_of_test.write("model.toml", "[metrics]\nuses = { agg = 'count' }\n");
    let scored = files_of_test.write("scored.toml", DEFAULT);
    let letters = directory.says(&["deadletters", "list", "--json"]);
    let letter: serde_json::Value = serde_json::from_str(letters.lines().next().unwrap()).unwrap();
    let (letter, listed) = (letter["position"].to_string(), directory.says(&["list", "--json"]));
    let account: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let account = account["account"].as_str().unwrap();
    let commands = [
        ["digest"].as_slice(),
        &["list"],
        &["list", "--json"],
        &["get", account],
        &["timeline", "--account", account],
        &["health", "--account", account],
        &["health", "--all", "--as-of", "last", "--json"],
        &["health", "--account", account, "ghost", "--as-of", "2024-01-03", "--model", &scored],
        &["history", "--all", "--from", "2024-01-01", "--to", "2024-01-31"],
        &["history", "--account", account, "--from", "2024-01-01", "--to", "2024-01-31", "--json"],
        &["explain", "--account", account],
        &["explain", "--account", account, "--from", "2024-01-03", "--to", "last", "--json"],
        &["movers", "--from", "2024-01-03"],
        &["model", "show"],
        &["model", "list"],
        &["model", "diff", &model, "adopted"],
        &["model", "check", &scored],
        &["model", "preview", &scored],
        &["metrics", "--all", "--as-of", "last"],
        &["metrics", "--account", account, "ghost", "--as-of", "2024-01-03", "--model", &model],
        &["deadletters", "list"],
        &["deadletters", "show", &letter],
        &["deadletters", "count"],
        &["source", "list"],
        &["log", "verify"],
        &["log", "stat"],
        &["log", "dump"],
    ];
    reads(files_of_test, directory, &commands);
}

/// A fleet with a line that is refused.
fn lines() -> String {
    let mut lines = fleet(4, 10);
    lines.push("{".to_owned());
    lines.join("\n")
}

#[test]
fn what_reads_writes_nothing() {
    let files = Files::new();
    let directory = Directory(files.path("rest"));
    let events = files.write("events.ndjson", lines());
    directory.says(&["import", "--source", "app", &events]);
    reads_leave_all_as_it_was(&files, &directory);
}

#[test]
fn what_reads_repairs_nothing() {
    let files = Files::new();
    let mut server = Server::start(files.path("run"));
    let events = files.write("events.ndjson", lines());
    server.says(&["import", "--source", "app", &events]);
    let live = server.says(&["digest"]);
    server.kill();
    let directory = Directory(server.data.clone());
    reads_leave_all_as_it_was(&files, &directory);
    assert_eq!(directory.says(&["digest"]), live);
    // The next opening for writing does repair it, and nothing is lost.
    server.start_again();
    assert_eq!(server.says(&["digest"]), live);
}

#[test]
fn a_directory_that_is_held_or_missing_is_refused_in_the_same_words_whatever_the_command() {
    let files = Files::new();
    let events = files.write("events.ndjson", lines());
    let mut server = Server::start(files.path("run"));
    let held = Directory(server.data.clone());
    for command in [
        ["digest"].as_slice(),
        &["list"],
        &["metrics", "--all", "--as-of", "last"],
        &["deadletters", "count"],
        &["source", "list"],
        &["adopt", "--zone", "UTC"],
        &["import", "--source", "app", &events],
        &["source", "retire", "app"],
        &["deadletters", "replay"],
    ] {
        let refused = held.run(command);
        assert_eq!(refused.code, Some(1), "{command:?}");
        let holder = "is held by process ";
        assert!(
            refused.stderr.contains(holder) && refused.stderr.contains("--server"),
            "{command:?}: {refused:?}"
        );
    }
    // The log is read beside its writer.
    assert!(!held.says(&["log", "stat"]).is_empty());
    server.stop();

    let missing = Directory(files.path("nowhere"));
    for command in [["digest"].as_slice(), &["source", "list"], &["source", "reset", "app"], &["log", "stat"]]
    {
        let refused = missing.run(command);
        assert_eq!(refused.code, Some(1), "{command:?}");
        assert!(refused.stderr.contains("there is no data directory at"), "{command:?}: {refused:?}");
    }
    assert!(!missing.0.exists());
}
