//! The lab's own specification, as tests: one behaviour each, named after it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod accidents;
mod bench;
mod config;
mod etcd;
mod histories;
mod kube;
mod lab;
mod recorded;
mod reset;
mod search;
mod support;
mod tools;
