//! Decides alerts: what the close of a day makes of every account, in the running engine and in a replay of the past.

pub mod close;
pub mod scores;
pub mod replay;
pub mod live;
