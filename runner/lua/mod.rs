//! The Lua side: sandbox, loader, bindings. The only place that names mlua; makes effects only through the engine.
//!
//! A recipe's body runs in a VM of its own on a thread of its own ([`machine`]). Its branches are tasks ([`task`], [`body`]); a task runs Lua
//! code until that yields an operation ([`task::Op`]), and goes on when what the operation waits for has come. So no Lua code runs
//! between a delivery's cause and its turn, and a branch that is ended is dropped where it stands: nothing in it can catch that.

#![allow(clippy::single_match_else, reason = "what is found and what is not stand side by side")]

mod arm;
mod ask;
mod body;
mod calls;
mod catalog;
mod caught;
mod compiled;
mod control;
mod cx;
mod deadline;
mod declare;
mod entry;
mod freeze;
mod head;
mod machine;
mod names;
mod order;
mod params;
mod place;
mod pure;
mod raised;
mod sandbox;
mod syntax;
mod task;
mod text;
mod threads;
mod value;
mod vm;

#[cfg(test)]
mod tests;

pub use calls::Calls;
pub use machine::{Host, catalog};
