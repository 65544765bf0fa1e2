//! The integration tests: one binary, one module per topic.

#![allow(clippy::unwrap_used)]

mod cli_config;
mod cli_lab;
mod cli_recipes;
mod lab_gate;
#[allow(dead_code, reason = "a builder offers more than each build of the tests uses")]
mod space;
mod tidy;
