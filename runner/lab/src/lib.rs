//! A simulated Talos and Kubernetes cluster: pure, deterministic, without I/O, clock or threads.
//! Knows nothing of recipes, guards or the engine; they meet it as they meet the real thing.
//!
//! # Use
//! [`Lab::bare`] and [`Lab::healthy`] make a lab from a [`LabSpec`]. Then the caller
//! 1. starts tools ([`Lab::start`]: argv of talosctl 1.13 or kubectl 1.36) and API requests ([`Lab::start_http`]);
//! 2. moves time, event by event ([`Lab::step`], [`Lab::next_event_at`]) or up to a moment ([`Lab::advance_to`]),
//!    and only when everybody waits: simulated time is the caller's to move;
//! 3. takes what has ended ([`Lab::take_finished`], [`Lab::take_answered`], [`Lab::take_timers`]).
//!
//! [`Lab::requests`] is what reached a node or an API server, [`Lab::ledger`] what was lost and by what,
//! [`Lab::state`] and [`Lab::draw`] a picture of it, [`Lab::break_`] and [`Lab::heal`] its faults. [`Lab::save`] and
//! [`Lab::load`] keep it between two processes; tools that ran are then gone, what they sent goes on.
//!
//! # Shape
//! `world` holds all state, plain data that serialises, and one queue of events ordered by time and number.
//! A request is three events, arrival, effect and answer, so that a fault fits between any two. `node`, `etcd`
//! and `kube` say what happens; `ledger` counts the copies of everything worth money; `facts` has every duration
//! and every claim about the real world with its proof. `face` turns argv into requests and answers into text: no
//! branch in it changes the world. `config` reads and writes machine configs and client configs.
//!
//! # Seeds
//! One seed is one history: equal seeds and equal calls give equal bytes ([`Lab::digest`]). [`history`] makes random
//! histories for tests, [`replay`] runs one again, [`invariants`] says what must hold after every event.
//!
//! # What it is not
//! No packets, no CPU or memory pressure, no raft log, no scheduler or controller beyond what a drain needs;
//! certificates parse but nobody signed them, and trust is a comparison of bytes. Verbs and flags without a model
//! fail with `lab: not modelled: …`. What passes here proves order, guards and resume logic, never that an image boots.

pub mod config;
mod draw;
pub mod etcd;
pub mod face;
pub mod facts;
pub mod faults;
mod fixture;
pub mod history;
pub mod invariants;
pub mod kube;
mod lab;
pub mod ledger;
pub mod node;
pub mod reply;
pub mod request;
pub mod rng;
pub mod snapshot;
pub mod spec;
pub mod state;
pub mod trace;
pub mod world;

pub use face::{FileWrite, HttpCall, ReadFiles, ToolCall, ToolOutput};
pub use facts::{facts, header};
pub use faults::{Fault, FaultError};
pub use history::replay;
pub use invariants::Violation;
pub use lab::{ClientFiles, Lab, LoadError, Mark, SCHEMA};
pub use request::ApplyMode;
pub use spec::{LabSpec, Medium, NodeSpec, Role, VolumeSpec};
pub use world::{ClientId, Ms, NodeId, TimerId, World};
