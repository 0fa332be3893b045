//! The program as it is called: on a directory by `--data`, and on a running engine by `--server`.

mod at_rest;
mod broken;
mod child;
mod configured;
mod golden;
mod parity;
mod places;
mod requests;
#[path = "../shard/wait.rs"]
mod wait;
