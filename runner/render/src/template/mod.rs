//! Go templates as talhelper renders them: the language of `text/template`
//! with the functions of sprig that depend on their arguments only. It knows
//! nothing of YAML; what runs too long or makes too much is refused.

mod functions;
mod item;
mod lex;
mod parse;
mod patterns;
mod print;
mod run;
mod shapes;
mod sprig;
#[cfg(test)]
mod tests;

pub(crate) use item::Item;

use crate::diagnostic::Mark;

/// Why a template cannot be rendered, and where in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    /// The place in the template, its first line being 1.
    pub(crate) mark: Mark,
    pub(crate) message: String,
}

/// Which functions a template may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Functions {
    /// Those of Go alone.
    Builtin,
    /// Those of sprig too.
    Sprig,
}

/// Whether a text holds anything but itself.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// The text that a template makes of `data`.
pub(crate) fn render(text: &str, data: &Item<'_>, functions: Functions) -> Result<String, Problem> {
    let template = parse::parse(text)?;
    run::run(&template, data, functions)
}
