//! The program twice: on a directory by `--data`, and on a running engine by `--server`. Both must say the same.

mod broken;
mod parity;
mod places;
mod requests;
