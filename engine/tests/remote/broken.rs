//! Imports that break off: the client killed, the engine killed. Run again, they end where a whole one ends.

use std::process::{Child, Stdio};

use serde_json::Value;
use tidewatch_engine::serve::services::imports::BATCH_BYTES_MAX;

use crate::child;
use crate::places::{Directory, Files, Place, Server, fleet, program};
use crate::wait::wait_until;

struct Broken {
    files: Files,
    server: Server,
    file: String,
    /// Lines of the file.
    lines: u64,
    /// The digest of a whole import.
    whole: String,
    /// Most records that one batch of the import holds.
    batch_records_max: u64,
}

impl Broken {
    fn new() -> Self {
        let files = Files::new();
        let lines = fleet(30, 120);
        let file = files.write("events.ndjson", lines.join("\n"));
        let rest = Directory(files.path("rest"));
        rest.says(&["import", "--source", "app", &file]);
        let whole = rest.says(&["digest"]);
        let server = Server::start(files.path("run"));
        let shortest = lines.iter().map(String::len).min().expect("there are lines");
        let batch_records_max = (BATCH_BYTES_MAX / shortest) as u64;
        Self { files, server, file, lines: lines.len() as u64, whole, batch_records_max }
    }

    fn import(&self) -> Child {
        let place = self.server.named();
        let import = program()
            .args(["import", "--source", "app", &self.file])
            .args(place)
            .stderr(Stdio::piped())
            .spawn();
        import.unwrap()
    }

    /// Waits until some of the file is in the log, and not all of it.
    fn wait_until_it_runs(&self) -> u64 {
        wait_until("something is imported", || match self.events() {
            0 => Err(0),
            events => Ok(events),
        })
    }

    fn events(&self) -> u64 {
        let events = |segment: &str| -> u64 {
            serde_json::from_str::<Value>(segment).unwrap()["events"].as_u64().unwrap()
        };
        self.server.says(&["log", "stat", "--json"]).lines().map(events).sum()
    }

    /// Runs the import to its end, and once more. What broke off may have left the beginning of a batch without its
    /// progress, where the batch did not fit one frame; no more is read twice.
    fn ends_whole(&self, before: u64) {
        let run = || -> Value {
            let said = self.server.says(&["import", "--source", "app", "--json", &self.file]);
            serde_json::from_str(&said).unwrap()
        };
        let ended = run();
        assert_eq!(ended["new"].as_u64(), Some(self.lines - before), "{ended}");
        let duplicates = ended["duplicates"].as_u64().unwrap();
        assert!(duplicates < self.batch_records_max, "it goes on behind the last durable batch: {ended}");
        assert_eq!(self.server.says(&["digest"]), self.whole);
        let again = run();
        assert_eq!((&again["new"], &again["duplicates"]), (&0.into(), &0.into()));
        assert_eq!(self.server.says(&["digest"]), self.whole);
    }
}

#[test]
fn an_import_whose_client_was_killed_is_run_again() {
    let broken = Broken::new();
    let mut client = broken.import();
    broken.wait_until_it_runs();
    client.kill().unwrap();
    client.wait().unwrap();
    // What was on its way is still taken.
    wait_until("the import ends with its client", || {
        let sources = broken.server.says(&["source", "list", "--json"]);
        sources.contains("\"state\":\"ended\"").then_some(()).ok_or(sources)
    });
    let before = broken.events();
    assert!(before < broken.lines, "the client was killed too late to prove anything");
    broken.ends_whole(before);
}

#[test]
fn an_import_whose_engine_was_killed_is_run_again() {
    let mut broken = Broken::new();
    let client = broken.import();
    broken.wait_until_it_runs();
    broken.server.kill();
    let told = child::output_of(client);
    assert_eq!(told.status.code(), Some(1), "the client says that it broke off");
    assert!(!told.stderr.is_empty());
    broken.server.start_again();
    let before = broken.events();
    assert!(before < broken.lines, "the engine was killed too late to prove anything");
    broken.ends_whole(before);
    broken.server.stop();
    let left = Directory(broken.server.data.clone());
    assert_eq!(left.says(&["digest"]), broken.whole);
    left.says(&["import", "--source", "app", &broken.file]);
    assert_eq!(left.says(&["digest"]), broken.whole, "{}", broken.files.path("").display());
}

#[test]
fn an_engine_that_stops_ends_its_imports_and_says_so() {
    let mut broken = Broken::new();
    let client = broken.import();
    broken.wait_until_it_runs();
    broken.server.stop();
    let told = child::output_of(client);
    let stderr = String::from_utf8(told.stderr).unwrap();
    assert!(told.status.code() == Some(1) && stderr.contains("shutting down"), "{stderr}");
    broken.server.start_again();
    broken.ends_whole(broken.events());
}
