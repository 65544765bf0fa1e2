//! What a talconfig must have beyond its types, each with its place. Talhelper
//! finds most of this too, some later, some never; a finding in a group is
//! told once.

mod cluster;
mod links;
mod node;
mod schematic;
mod words;

use std::collections::BTreeSet;

use super::{Schema, Talconfig};
use crate::diagnostic::{Code, Diagnostic, Mark};

pub(super) fn problem(file: &str, mark: Mark, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::TALCONFIG, file, mark, message)
}

/// Everything that is missing or cannot be meant.
pub(super) fn check(config: &Talconfig, schema: &Schema) -> Vec<Diagnostic> {
    let mut findings = Findings { file: &config.file, out: Vec::new() };
    cluster::check(&mut findings, config, schema);
    node::check(&mut findings, config, schema);
    let mut seen = BTreeSet::new();
    findings.out.retain(|p| seen.insert((p.line, p.column, p.message.clone())));
    findings.out.sort_by_key(|problem| (problem.line, problem.column));
    findings.out
}

struct Findings<'f> {
    file: &'f str,
    out: Vec<Diagnostic>,
}

impl Findings<'_> {
    fn add(&mut self, mark: Mark, message: impl Into<String>) {
        self.out.push(problem(self.file, mark, message));
    }

    fn hinted(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        self.out.push(problem(self.file, mark, message).hint(hint));
    }

    /// Adds a finding unless something holds.
    fn need(&mut self, holds: bool, mark: Mark, message: impl FnOnce() -> String) {
        if !holds {
            self.add(mark, message());
        }
    }
}
