//! The lab's own specification, as tests: one behaviour each, named after it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bench;
mod histories;
mod support;
mod tools;
