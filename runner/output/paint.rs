//! Colour and width: what the terminal can do, decided once. Colour repeats what the words say and never says more.

use std::fmt::Display;

use crate::config::{Environment, env};

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Where it is seen: on a terminal, unless the environment says no.
    #[default]
    Auto,
    /// In every case.
    Always,
    /// In no case.
    Never,
}

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours on standard output.
    pub colour: bool,
    /// Colours on standard error.
    pub colour_err: bool,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Standard error is a terminal.
    pub terminal_err: bool,
    /// Columns; text is never cut for it, only broken, and snippets are shifted.
    pub width: usize,
}

impl Look {
    /// No colours, no terminal, 80 columns.
    pub const PLAIN: Look =
        Look { colour: false, colour_err: false, terminal: false, terminal_err: false, width: 80 };

    /// Columns that a line on standard output may have; in a pipe there is no edge.
    pub fn room(&self) -> Option<usize> {
        self.terminal.then_some(self.width)
    }

    /// Columns that a line on standard error may have.
    pub fn room_err(&self) -> Option<usize> {
        self.terminal_err.then_some(self.width)
    }

    /// What this process' terminal can do.
    pub fn of_process(colour: Colour, env: &Environment) -> Look {
        let (out, err) = (console::Term::stdout(), console::Term::stderr());
        let dumb = env.get(env::TERM) == Some("dumb");
        let decide = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if env.get(env::NO_COLOR).is_some() => false,
            Colour::Auto if env.get(env::CLICOLOR_FORCE).is_some_and(|v| v != "0") => true,
            Colour::Auto => terminal && !dumb,
        };
        let columns = env.get(env::COLUMNS).and_then(|c| c.parse().ok());
        let size = out.size_checked().or_else(|| err.size_checked());
        let width = size.map(|(_, columns)| usize::from(columns)).or(columns);
        Look {
            colour: decide(out.is_term()),
            colour_err: decide(err.is_term()),
            terminal: out.is_term(),
            terminal_err: err.is_term(),
            width: width.unwrap_or(80).max(40),
        }
    }
}

/// Paints words, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(pub bool);

impl Paint {
    fn with(self, style: console::Style, text: impl Display) -> String {
        style.force_styling(self.0).apply_to(text).to_string()
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: impl Display) -> String {
        self.with(console::Style::new().red().bold(), text)
    }

    /// What went well.
    pub(crate) fn good(self, text: impl Display) -> String {
        self.with(console::Style::new().green(), text)
    }

    /// What deserves a look: changes, waits, simulation.
    pub(crate) fn warn(self, text: impl Display) -> String {
        self.with(console::Style::new().yellow(), text)
    }

    /// A line of a difference, by its sign.
    pub(crate) fn change(self, sign: char, line: String) -> String {
        match sign {
            '+' => self.good(line),
            '-' => self.bad(line),
            '~' => self.warn(line),
            _ => line,
        }
    }

    /// What only frames the rest.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.with(console::Style::new().dim(), text)
    }

    /// Names.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.with(console::Style::new().bold(), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(colour: Colour, env: &[(&str, &str)]) -> bool {
        Look::of_process(colour, &Environment::from_pairs(env.iter().copied())).colour
    }

    #[test]
    fn the_flag_beats_the_environment_and_the_environment_the_terminal() {
        assert!(look(Colour::Always, &[("NO_COLOR", "1")]));
        assert!(!look(Colour::Never, &[("CLICOLOR_FORCE", "1")]));
        assert!(!look(Colour::Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
        assert!(look(Colour::Auto, &[("CLICOLOR_FORCE", "1")]));
        assert!(!look(Colour::Auto, &[("TERM", "dumb")]));
    }
}
