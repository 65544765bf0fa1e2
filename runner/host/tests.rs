//! The host against a town of a few machines in memory, which answers the command lines of the real tools in their words.
#![allow(clippy::unwrap_used)]

mod edits;
mod evidence;
mod files;
mod kube;
mod lab;
mod nodes;
mod plans;
mod render;
mod tools;
mod town;
mod waits;
