//! `ops`: runs Lua recipes against Talos and Kubernetes clusters, every effect through one gate.
//!
//! The modules stand in layer order; each may use only those above it. `docs/architecture.md` is the map.

pub mod sys;

pub mod config;
pub mod recipe;

pub mod host;
pub mod journal;
pub mod store;

pub mod engine;

pub mod lua;
pub mod output;

pub mod cli;

#[cfg(test)]
mod crash;
