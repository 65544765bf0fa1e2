//! The loop that owns run state, and the gate that every effect passes. Knows no Lua, clap, colours or file formats.

mod acts;
pub mod backend;
pub mod graph;
pub mod replay;
mod resume;
pub mod run;
mod step;

#[cfg(test)]
mod tests;
