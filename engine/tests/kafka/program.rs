//! The program `tidewatch` on a data directory, as an operator runs it.
#![expect(clippy::disallowed_methods, reason = "an operator writes the configuration")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Pid;
use tidewatch_engine::storage::directory::Directory;
use tidewatch_engine::storage::log::Entry;
use tidewatch_projections::names::Names;

use crate::broker::Broker;
use crate::child;
use crate::support::Shard;

/// A data directory and the configuration of its sources.
pub struct Program {
    pub shard: Shard,
    sources: String,
}

/// Ports of its own choice, so that several run beside each other.
const SERVE: &str = "[serve]\ngrpc = '127.0.0.1:0'\nhttp = '127.0.0.1:0'\n[log]\nlevel = 'warn'\n";

impl Program {
    pub fn new() -> Self {
        Self { shard: Shard::new(), sources: SERVE.into() }
    }

    /// Adds a source of one topic; `more` are lines of its configuration.
    pub fn with_source(mut self, broker: &Broker, name: &str, topic: &str, more: &str) -> Self {
        self.sources += &format!(
            "[[sources]]\nkind = 'kafka'\nname = '{name}'\nbrokers = '{}'\ntopics = ['{topic}']\nsurvey_ms = 100\n{more}\n",
            broker.address
        );
        self
    }

    /// Puts the answer that a stop of the last source asked for into the configuration.
    pub fn answer(&mut self, stderr: &str) {
        let (_, answer) = stderr.split_once("[[sources.accept]] ").expect("a stop says what to do");
        let line = answer.lines().next().expect("and does so on one line");
        self.sources += &format!("[[sources.accept]]\n{}\n", line.replace(", ", "\n"));
    }

    fn config(&self) -> PathBuf {
        self.shard.path().with_extension("toml")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
        command.args(arguments).arg("--data").arg(self.shard.path()).env_remove("TIDEWATCH_DATA");
        child::output(&mut command)
    }

    /// Reads all there is. Gives what it wrote to standard error, as an error if it failed.
    pub fn serve_until_caught_up(&self) -> Result<String, String> {
        std::fs::write(self.config(), &self.sources).unwrap();
        let config = self.config();
        let output = self.run(&["serve", "--until-caught-up", "--config", config.to_str().unwrap()]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        if output.status.success() { Ok(stderr) } else { Err(stderr) }
    }

    /// Reads and serves until it is stopped.
    pub fn serve(&self) -> Running {
        std::fs::write(self.config(), self.sources.replace("'warn'", "'info'\nformat = 'json'")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidewatch"))
            .args(["serve", "--config", self.config().to_str().unwrap(), "--data"])
            .arg(self.shard.path())
            .env_remove("TIDEWATCH_DATA")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let serving = || log.find(|line| line.contains("serving gRPC")).expect("it serves");
        let line = child::killed_when_late(Pid::from_child(&child), serving).expect("it serves in time");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = line["address"].as_str().unwrap().to_owned();
        // Read to the end, so that it never waits for its log.
        std::thread::spawn(move || log.for_each(drop));
        Running { child, address }
    }

    /// Another command, which must succeed.
    pub fn command(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The accepted events in the order of the log: source, generation, id.
    pub fn accepted(&self) -> Vec<(String, u32, String)> {
        let directory = Directory::open(&self.shard.path()).unwrap();
        let history = crate::support::history(&directory);
        let names: &Names = history.names();
        let mut found = Vec::new();
        history
            .frames(|frame| {
                for (_, entry) in frame.entries {
                    if let Entry::Event(event) = entry {
                        let source = names.text(event.source).to_owned();
                        found.push((source, event.generation, event.id.into()));
                    }
                }
                Ok::<(), tidewatch_engine::storage::log::LogError>(())
            })
            .unwrap();
        found
    }
}

/// The program while it serves; ended with the test.
pub struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// A command that asks it and must succeed; answers what it wrote.
    pub fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
        command.args(arguments).args(["--server", &self.address]).env_remove("TIDEWATCH_DATA");
        let output = child::output(&mut command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) {
        assert!(child::stop(&mut self.child).success(), "a stop is clean");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was stopped is gone already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
