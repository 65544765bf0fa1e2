//! The words that every part of `ops` shares: calls and their effects, guards, evidence and grants, the journal's records, errors.
//!
//! Pure: no I/O, no clock, no Lua, no terminal. What happens outside is told to it as arguments.

pub mod argv;
pub mod call;
pub mod effect;
pub mod error;
pub mod event;
pub mod guard;
pub mod ident;
pub mod inventory;
pub mod journal;
pub mod machine;
pub mod machines;
pub mod record;
pub mod reply;
pub mod shim;
pub mod time;
pub mod trace;
pub mod value;
