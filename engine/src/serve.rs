//! What the engine answers: gRPC for programs, a few HTTP pages for operators.

pub mod asking;
pub mod calls;
pub mod columns;
pub mod convert;
pub mod filter;
pub mod foremost;
pub mod formats;
pub mod gate;
pub mod http;
pub mod listen;
pub mod order;
pub mod pins;
pub mod pushed;
pub mod reader;
pub mod refusal;
pub mod repeats;
pub mod services;
pub mod stage;
pub mod timeline;
pub mod token;

use crate::clock::monotonic;
