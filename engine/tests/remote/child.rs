//! Processes that a test starts and waits for, none of them longer than a deadline.

use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longest that a process may take. Most end within seconds; some read a whole data set, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    output_of(child.expect("the program was built with the test"))
}

/// Waits for the end of a process and for what it wrote.
pub fn output_of(child: Child) -> Output {
    let waited = killed_when_late(Pid::from_child(&child), || child.wait_with_output().unwrap());
    waited.unwrap_or_else(|late| {
        panic!("a process had not ended within {PATIENCE:?}: {}", String::from_utf8_lossy(&late.stderr))
    })
}

/// Asks a process to end and waits until it has.
pub fn stop(child: &mut Child) -> ExitStatus {
    let id = Pid::from_child(child);
    kill_process(id, Signal::TERM).unwrap();
    let waited = killed_when_late(id, || child.wait().unwrap());
    waited.unwrap_or_else(|_| panic!("a process had not ended {PATIENCE:?} after it was asked to"))
}

/// Waits for something of a process that ends with it at the latest, and kills it after [`PATIENCE`]: then what came of
/// the wait is an error.
pub fn killed_when_late<T>(process: Pid, wait: impl FnOnce() -> T) -> Result<T, T> {
    let (in_time, late) = channel::<()>();
    let watch = thread::spawn(move || {
        let is_late = late.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if is_late {
            kill_process(process, Signal::KILL).unwrap();
        }
        is_late
    });
    let waited = wait();
    drop(in_time);
    if watch.join().unwrap() { Err(waited) } else { Ok(waited) }
}
