//! Questions to the person at the terminal. Where there is no terminal, nobody answers: never a default yes.

use std::io::{BufRead as _, IsTerminal as _};

use crate::engine::keep::Asker;
use crate::output;

/// Asks for one line; nothing where the input ended.
pub(crate) fn line(question: &str) -> std::io::Result<Option<String>> {
    output::prompt(question)?;
    let mut answer = String::new();
    if std::io::stdin().lock().read_line(&mut answer)? == 0 {
        return Ok(None);
    }
    Ok(Some(answer.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The terminal of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminal;

impl Terminal {
    fn there() -> bool {
        std::io::stdin().is_terminal() && output::prompts_are_seen()
    }
}

impl Asker for Terminal {
    fn typed(&self, lines: &[String], words: &str) -> Option<String> {
        if !Terminal::there() {
            return None;
        }
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        line(&format!("{text}Type  {words}  to go on: ")).ok().flatten()
    }

    fn yes(&self, question: &str) -> Option<bool> {
        if !Terminal::there() {
            return None;
        }
        let answer = line(&format!("{question}\nGo on? [y/N] ")).ok().flatten()?;
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    fn terminal(&self) -> bool {
        Terminal::there()
    }
}
