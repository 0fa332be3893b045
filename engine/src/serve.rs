//! What the engine answers: gRPC for programs, a few HTTP pages for operators.

pub mod accounts;
pub mod asking;
pub mod calls;
pub mod columns;
pub mod convert;
pub mod dead_letters;
pub mod filter;
pub mod foremost;
pub mod formats;
pub mod gate;
pub mod http;
pub mod imports;
pub mod info;
pub mod listen;
pub mod logs;
pub mod metrics;
pub mod order;
pub mod past;
pub mod pins;
pub mod pushed;
pub mod reader;
pub mod refusal;
pub mod repeats;
pub mod settings;
pub mod sources;
pub mod stage;
pub mod standpoint;
pub mod subject;
pub mod timeline;
pub mod token;

use crate::clock::monotonic;
