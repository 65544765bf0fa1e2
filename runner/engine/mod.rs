//! The loop that owns run state, and the gate that every effect passes. Knows no Lua, clap, colours or file formats.

mod acts;
pub mod adopt;
pub mod ahead;
pub mod backend;
pub mod bounded;
pub mod doubt;
pub mod gate;
pub mod graph;
pub mod hands;
pub mod hosted;
pub mod idle;
mod interrupt;
mod judge;
pub mod keep;
mod needs;
mod nested;
mod nodes;
mod own_calls;
mod parts;
pub mod plan;
pub mod proof;
mod refusals;
pub mod replay;
mod resume;
pub mod run;
pub mod session;
mod settle;
pub mod signal;
pub mod skip;
mod stands;
mod step;
mod timers;
mod tools;
pub mod verify;
pub mod vigil;
pub(crate) mod watch;

#[cfg(test)]
mod tests;
