//! The integration tests: one binary, one module per topic.

#![allow(clippy::unwrap_used)]

mod ahead;
mod cli_config;
mod cli_lab;
mod cli_recipes;
mod config_patches;
mod config_sources;
mod config_talconfig;
mod docs;
mod docs_commands;
mod fake_tools;
mod heads;
mod interrupt;
mod kill_lab;
mod kill_live;
mod lab_gate;
mod lab_main_job;
mod lab_safe_reset;
mod live_argv;
mod patch;
mod regenerate;
mod resume;
mod retries;
mod screens;
mod secret_output;
mod secret_params;
mod shim_reads;
mod shim_refusals;
mod shim_tools;
mod shim_ways_around;
#[allow(dead_code, reason = "a builder offers more than each build of the tests uses")]
mod skip;
mod skip_attacks;
mod skip_runs;
mod skip_ways;
mod space;
mod terminal;
mod tidy;
mod watch;
mod why;
