//! What the engine answers: gRPC for programs, a few HTTP pages for operators.

pub mod filter;
pub mod http;
pub mod order;
pub mod pins;
pub mod refusal;
pub mod token;
