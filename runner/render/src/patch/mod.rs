//! Patching of machine configs: what `talosctl machineconfig patch` does, with
//! a place for every complaint. It reads no files; callers bring the bytes.

mod apply;
mod document;
mod input;
mod json;
mod json_from_yaml;
mod json_text;
mod operations;
mod sweep;

pub(crate) use apply::{Config, apply, merge_into};
pub use apply::{Parsed, Patched, patch};
pub(crate) use document::{Document, check_together, config as read_config, write as write_config};
pub use input::Patch;
