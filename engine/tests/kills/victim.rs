//! The program that is killed.
#![expect(
    clippy::disallowed_methods,
    reason = "processes are waited for in real time, and their output goes to a file"
)]

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use tidewatch_engine::failpoint::{Place, VARIABLE};

const LOOK_EVERY: Duration = Duration::from_millis(2);
const SIGKILL: i32 = 9;
/// Longest that the system takes to end a killed process: it may have much memory and a busy disk.
const KILLED_WITHIN: Duration = Duration::from_secs(60);

/// How the program is started.
pub struct Program {
    /// Its data directory.
    pub data: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// Where its standard error goes.
    pub stderr: PathBuf,
}

/// How a life of the program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By itself, all being read.
    CaughtUp,
    /// It was killed, by us or at the place it was told.
    Killed,
}

/// A life of the program.
pub struct Victim {
    child: Child,
    stderr: PathBuf,
}

impl Program {
    /// Starts it: until it has caught up or without end, to die at a place or not.
    pub fn start(&self, until_caught_up: bool, dies_at: Option<(Place, u64)>) -> Victim {
        let stderr =
            OpenOptions::new().create(true).append(true).open(&self.stderr).expect("a file for its output");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
        command.arg("serve").arg("--data").arg(&self.data).arg("--config").arg(&self.config).stderr(stderr);
        if until_caught_up {
            command.arg("--until-caught-up");
        }
        if let Some((place, times)) = dies_at {
            command.env(VARIABLE, format!("{place:?}:{times}"));
        }
        let child = command.spawn().expect("the program was built with this test");
        Victim { child, stderr: self.stderr.clone() }
    }
}

impl Victim {
    /// Waits until it ends, at most so long.
    ///
    /// # Errors
    /// When it failed: a crash must never keep it from starting.
    pub fn wait(&mut self, most: Duration) -> Result<Option<End>, String> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                if status.success() {
                    return Ok(Some(End::CaughtUp));
                }
                if status.signal() == Some(SIGKILL) {
                    return Ok(Some(End::Killed));
                }
                let told = std::fs::read_to_string(&self.stderr).unwrap_or_default();
                let last: Vec<&str> = told.lines().rev().take(20).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                return Err(format!("the program ended with {status}:\n{}", last.join("\n")));
            }
            if began.elapsed() >= most {
                return Ok(None);
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Kills it, unless it ended before.
    ///
    /// # Errors
    /// When it had failed, or does not end.
    pub fn kill(mut self) -> Result<End, String> {
        self.child.kill().expect("one's own process can be killed");
        let ended = self.wait(KILLED_WITHIN)?;
        ended.ok_or_else(|| format!("the program still runs {KILLED_WITHIN:?} after it was killed"))
    }
}

impl Drop for Victim {
    /// Nothing outlives a test that failed.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().expect("one's own process can be killed");
            self.child.wait().expect("it can be waited for");
        }
    }
}
