//! A simulated Talos and Kubernetes cluster: pure, deterministic, without I/O, clock or threads.
pub mod config;
pub mod etcd;
pub mod face;
pub mod facts;
pub mod faults;
mod fixture;
pub mod kube;
mod lab;
pub mod ledger;
pub mod node;
pub mod reply;
pub mod request;
pub mod rng;
pub mod snapshot;
pub mod spec;
pub mod trace;
pub mod world;

pub use face::{FileWrite, HttpCall, ReadFiles, ToolCall, ToolOutput};
pub use facts::{facts, header};
pub use faults::{Fault, FaultError};
pub use lab::{ClientFiles, Lab, LoadError, SCHEMA};
pub use request::ApplyMode;
pub use spec::{LabSpec, Medium, NodeSpec, Role, VolumeSpec};
pub use world::{ClientId, Ms, NodeId, TimerId, World};
