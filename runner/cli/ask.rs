//! Questions to the person at the terminal. Where there is no terminal, nobody answers: never a default yes.

use std::io::{IsTerminal as _, Read as _};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use crate::engine::keep::Asker;
use crate::output;

/// What Ctrl-C is on a line.
const CTRL_C: u8 = 3;

/// Asks for one line; nothing where the input ended, or where Ctrl-C gave up on it.
pub(crate) fn line(question: &str) -> std::io::Result<Option<String>> {
    output::prompt(question)?;
    let _line = CtrlCEndsLine::new();
    let mut answer = Vec::new();
    for byte in std::io::stdin().lock().bytes() {
        match byte? {
            b'\n' => {
                let text = String::from_utf8_lossy(&answer);
                return Ok(Some(text.trim_end_matches('\r').to_owned()));
            }
            CTRL_C => {
                output::prompt("\n")?;
                return Ok(None);
            }
            byte => answer.push(byte),
        }
    }
    Ok((!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned()))
}

/// While it lives, Ctrl-C is a character that ends the line. Its signal would be for the loop, and that waits for this very answer.
struct CtrlCEndsLine(Option<Termios>);

impl CtrlCEndsLine {
    fn new() -> CtrlCEndsLine {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut own = before.clone();
            own.local_modes.remove(LocalModes::ISIG);
            own.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
            // Where the terminal cannot do it, Ctrl-C does what it did.
            let _ = tcsetattr(&stdin, OptionalActions::Now, &own);
        }
        CtrlCEndsLine(before)
    }
}

impl Drop for CtrlCEndsLine {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
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
