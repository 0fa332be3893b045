//! Control entries: decisions of the engine and commands of people, with who asked for them and what they add up to.

pub mod request;
pub mod band_override;
pub mod entry;
pub mod state;
pub mod adoption;
