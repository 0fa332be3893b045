//! Two places to work in: a directory that nobody holds, and one that `tidewatch serve` runs on.
#![expect(clippy::disallowed_methods, reason = "an operator writes files and configurations")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::Pid;
use tempfile::TempDir;
use tidewatch_ingest::fleet::{Day, Fleet, Shape};

use crate::child;

/// Ports of its own choice, so that several run beside each other.
const CONFIG: &str =
    "[serve]\ngrpc = '127.0.0.1:0'\nhttp = '127.0.0.1:0'\n[log]\nlevel = 'info'\nformat = 'json'\n";

/// What a command said.
#[derive(PartialEq, Eq, Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }
}

pub fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
    program.env_remove("TIDEWATCH_DATA").stdin(Stdio::null());
    program
}

/// Where commands work.
pub trait Place {
    /// The arguments that name it.
    fn named(&self) -> [String; 2];

    /// Runs a command there.
    fn run(&self, arguments: &[&str]) -> Said {
        Said::from(child::output(program().args(arguments).args(self.named())))
    }

    /// A command that must succeed; answers what it wrote.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
        said.stdout
    }
}

/// A directory that nobody holds.
pub struct Directory(pub PathBuf);

impl Place for Directory {
    fn named(&self) -> [String; 2] {
        ["--data".to_owned(), self.0.to_str().unwrap().to_owned()]
    }
}

/// A directory that a `tidewatch serve` runs on.
pub struct Server {
    pub data: PathBuf,
    config: PathBuf,
    running: Option<(Child, String)>,
    /// Read to the end, so that the server never waits for it.
    log: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub fn start(data: PathBuf) -> Self {
        let config = data.with_extension("toml");
        std::fs::write(&config, CONFIG).unwrap();
        let mut server = Self { data, config, running: None, log: None };
        server.start_again();
        server
    }

    /// Starts the program on the same directory; the one before has ended.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none());
        let mut child = program()
            .args(["serve", "--data", self.data.to_str().unwrap()])
            .args(["--config", self.config.to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = child::killed_when_late(Pid::from_child(&child), || address(&mut log));
        let address = address.expect("it serves in time");
        self.log = Some(std::thread::spawn(move || log.lines().for_each(drop)));
        self.running = Some((child, address));
    }

    pub fn address(&self) -> &str {
        &self.running.as_ref().expect("it runs").1
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        let (mut child, _) = self.running.take().expect("it runs");
        assert!(child::stop(&mut child).success(), "a stop is clean");
        self.log.take().unwrap().join().unwrap();
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Place for Server {
    fn named(&self) -> [String; 2] {
        ["--server".to_owned(), self.address().to_owned()]
    }
}

/// Reads the log up to the line that says where the API is.
fn address(log: &mut BufReader<ChildStderr>) -> String {
    let mut seen = String::new();
    while log.read_line(&mut seen).unwrap() > 0 {
        let line = seen.lines().next_back().unwrap_or_default();
        if line.contains("serving gRPC") {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            return line["address"].as_str().expect("it names its address").to_owned();
        }
    }
    panic!("the engine ended before it served:\n{seen}");
}

/// A folder for the files of one test.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file; answers its path as an argument.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        argument(&path)
    }
}

pub fn argument(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Native JSON of a simulated fleet, every line with an id.
pub fn fleet(accounts: usize, days: usize) -> Vec<String> {
    let mut fleet = Fleet::new(Shape::new(7, accounts, jiff::civil::date(2024, 1, 1)));
    let mut day = Day::default();
    let mut lines = Vec::new();
    for _ in 0..days {
        fleet.next_day(&mut day);
        lines.extend(std::str::from_utf8(&day.payload).unwrap().lines().map(str::to_owned));
    }
    lines
}

/// The lines in another order.
pub fn shuffled(lines: &[String]) -> Vec<String> {
    // 7919 is a prime, so every line is met once where it does not divide their number.
    assert!(!lines.len().is_multiple_of(7919));
    (0..lines.len()).map(|at| lines[at * 7919 % lines.len()].clone()).collect()
}
