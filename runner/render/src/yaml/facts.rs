//! What the characters of a text allow: in which styles YAML can write it. It
//! does not choose one.

use super::emit::{is_break, is_printable};
use super::scalar::Dialect;

/// Which styles the characters of a text allow.
pub(super) struct Facts {
    pub(super) multiline: bool,
    pub(super) plain: bool,
    pub(super) single: bool,
    pub(super) block: bool,
}

impl Facts {
    pub(super) fn of(text: &str, dialect: Dialect) -> Facts {
        if text.is_empty() {
            return Facts { multiline: false, plain: true, single: true, block: false };
        }
        if is_word(text) {
            return Facts { multiline: false, plain: true, single: true, block: true };
        }
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut line_breaks, mut special, mut tabs) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut previous_space, mut previous_break) = (false, false);
        let mut after_white = true;
        for (at, c) in text.char_indices() {
            let next = text.as_bytes().get(at + c.len_utf8());
            let before_white = next.is_none_or(|next| matches!(next, b' ' | b'\t'));
            indicators |= match c {
                '#' => at == 0 || after_white,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => at == 0,
                ':' => before_white,
                '?' | '-' => at == 0 && before_white,
                _ => false,
            };
            if c == '\t' && dialect == Dialect::V4 {
                tabs = true;
            } else if !is_printable(c) {
                special = true;
            }
            if c == ' ' {
                break_space |= previous_break;
                (previous_space, previous_break) = (true, false);
            } else if is_break(c) {
                line_breaks = true;
                space_break |= previous_space;
                (previous_space, previous_break) = (false, true);
            } else {
                (previous_space, previous_break) = (false, false);
            }
            after_white = matches!(c, ' ' | '\t') || is_break(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let trailing_space = text.ends_with(' ');
        let odd = break_space || space_break || tabs || special;
        Facts {
            multiline: line_breaks,
            plain: !(text.starts_with(edge)
                || text.ends_with(edge)
                || odd
                || line_breaks
                || indicators),
            single: !odd,
            block: !(trailing_space || space_break || special),
        }
    }
}

/// Whether a text is made of characters that mean nothing to YAML; it is not empty.
fn is_word(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=+".contains(&byte);
    text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(inside)
}
