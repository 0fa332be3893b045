//! Control entries: what the engine decided or was told, who asked for it, and what all of it adds up to.

pub mod request;
pub mod entry;
pub mod state;
pub mod adoption;
