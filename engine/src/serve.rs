//! Serves the API over gRPC and the operator pages over HTTP.

pub mod paging;
pub mod calls;
pub mod caller;
pub mod columns;
pub mod convert;
pub mod filter;
pub mod top_k;
pub mod formats;
pub mod tenant_check;
pub mod http;
pub mod listen;
pub mod order;
pub mod pins;
pub mod pushed;
pub mod reader;
pub mod api_error;
pub mod transitions;
pub mod cases;
pub mod asked;
pub mod rows;
pub mod selection;
pub mod words;
pub mod evidence;
pub mod health;
pub mod health_list;
pub mod health_watch;
pub mod model_words;
pub mod model_check;
pub mod idempotency;
pub mod overrides;
pub mod services;
pub mod lifecycle;
pub mod timeline;
pub mod token;

use crate::clock::monotonic;
