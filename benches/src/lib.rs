//! What the benchmarks share: invented accounts and their events, costs measured in pairs, and tables of them.
//!
//! A figure of one run says little on a machine that others use too. So everything here is measured beside something that
//! does less or the least possible, in the same process, with the same allocator, turn by turn; what counts is the ratio.

pub mod cost;
pub mod feed;
pub mod log;
pub mod options;
pub mod pair;
pub mod population;
pub mod serving;
pub mod table;
