//! Findings of the renderer as a call's failure: the first at its line, the others beside it. No line is shown that may hold a secret.

use std::collections::BTreeMap;

use ops_core::error::{CallError, ErrorKind, Place};
use ops_core::reply::apply::is_guarded;
use ops_render::Diagnostic;

/// How many findings are told beside the first.
const OTHERS: usize = 9;

/// The texts of the files that are rendered, by name, so that a finding can show its line. What was encrypted is not among them.
#[derive(Debug, Default)]
pub(in crate::host) struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Keeps the text of a file that lies open in the repository.
    pub(in crate::host) fn keep(&mut self, file: &str, text: &str) {
        self.0.insert(file.to_owned(), text.to_owned());
    }

    /// A place in one of the files.
    pub(in crate::host) fn place(&self, file: &str, line: usize, column: usize) -> Place {
        let text = self.0.get(file).and_then(|text| text.lines().nth(line.max(1) - 1));
        // A line whose key may stand over a secret is not shown, its number is enough.
        let text = text.filter(|line| !is_guarded(line.split(':').next().unwrap_or_default()));
        Place {
            file: file.to_owned(),
            line: line as u32,
            column: column as u32,
            length: 0,
            text: text.map(str::to_owned),
        }
    }

    /// Findings as one failure.
    pub(in crate::host) fn refused(&self, found: &[Diagnostic]) -> CallError {
        let Some(first) = found.first() else {
            return CallError::new(ErrorKind::Failed, "refused without a reason").before_effect();
        };
        let mut error = CallError::new(ErrorKind::Invalid, first.message.clone()).before_effect();
        if first.line > 0 {
            error = error.at(self.place(&first.file, first.line, first.column));
        } else {
            error.message = format!("{}: {}", first.file, first.message);
        }
        error.hint.clone_from(&first.hint);
        let others = found.iter().skip(1).take(OTHERS).map(|other| {
            let place = self.place(&other.file, other.line, other.column);
            format!("{place}: {}", other.message)
        });
        error.stderr = others.collect::<Vec<_>>().join("\n");
        error
    }
}
