//! An engine that serves its API in this process, on one thread of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::meters::Meters;
use tidewatch_engine::read::index::Index;
use tidewatch_engine::serve::formats::Formats;
use tidewatch_engine::serve::lifecycle::Lifecycle;
use tidewatch_engine::serve::listen::{self, Api, Listening};
use tidewatch_engine::serve::reader::Reader;
use tidewatch_ingest::limits::Limits;
use tokio::runtime::{Builder, Runtime};

use crate::cost::now;

/// Name of the thread that serves.
pub const SERVER_THREAD: &str = "server";

/// Longest time in which nothing new can be read before a workload counts as failed.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);

/// An engine and its API.
pub struct Serving {
    engine: Arc<Engine>,
    runtime: Runtime,
    listening: Listening,
}

impl Serving {
    /// Opens a directory and serves it on a free port.
    ///
    /// # Panics
    /// When the engine or the system refuses.
    pub fn start(root: &Path, workers: usize) -> Self {
        let (stage, meters) = (Arc::new(Lifecycle::default()), Arc::new(Meters::new()));
        let options = Options { meters: Arc::clone(&meters), ..Options::new(Some(workers)) };
        let engine = Arc::new(Engine::open(root, options, &|_, _| ()).expect("the directory opens"));
        let index = Arc::new(Index::open(root).expect("the index opens"));
        let reader = Reader::new(Arc::clone(&engine), index, Arc::clone(&stage.scheduler), workers)
            .expect("it was opened with a fold");
        let formats = Arc::new(Formats::new(&engine, Limits::default(), HashMap::new()));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(SERVER_THREAD)
            .enable_all()
            .build()
            .expect("the system gives a thread");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let api = Api { reader, formats, pins: Arc::clone(&stage.pins), stop: Arc::default() };
        let api = listen::grpc(address, api, meters);
        let listening = runtime.block_on(api).expect("a free port");
        Self { engine, runtime, listening }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// What its servers run on.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Waits until a sequence can be read.
    pub fn wait_for(&self, seq: u64) {
        wait_for(&self.engine, seq);
    }

    /// Ends in order, without waiting for callers.
    pub fn stop(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Waits until a sequence can be read.
///
/// # Panics
/// When the engine has failed or keeps no state, or its view has stood still for `STANDSTILL_MAX`.
pub fn wait_for(engine: &Engine, seq: u64) {
    let (mut before, mut since) = (0, now());
    loop {
        let seen = engine.view().expect("it was opened with a fold").position.seq;
        if seen >= seq {
            return;
        }
        if seen != before {
            (before, since) = (seen, now());
        }
        assert_eq!(engine.failure(), None);
        assert!(since.elapsed() < STANDSTILL_MAX, "the view stands still at {seen} on its way to {seq}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
