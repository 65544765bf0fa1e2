//! Lua's string patterns, for `pattern` of a parameter: it is checked before any Lua runs. Only matches; captures nothing.

/// How many steps one match may take: a pattern is written by a person, the text may come from anywhere.
const STEPS: u32 = 100_000;

/// Whether the pattern is found in the text, as `string.find` does.
///
/// # Errors
/// A malformed pattern, or one that takes too long on this text.
pub(crate) fn found(pattern: &str, text: &str) -> Result<bool, String> {
    let mut search = Search { p: pattern.as_bytes(), s: text.as_bytes(), steps: 0 };
    let (anchored, begin) = if pattern.starts_with('^') { (true, 1) } else { (false, 0) };
    let last = if anchored { 0 } else { text.len() };
    for start in 0..=last {
        if search.here(start, begin, 0)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Search<'a> {
    p: &'a [u8],
    s: &'a [u8],
    steps: u32,
}

impl Search<'_> {
    /// The end of a match that begins at `s` of the text and `p` of the pattern.
    fn here(&mut self, mut s: usize, mut p: usize, depth: u32) -> Result<Option<usize>, String> {
        if depth > 200 {
            return Err("the pattern is too deep".into());
        }
        loop {
            self.steps += 1;
            if self.steps > STEPS {
                return Err("the pattern takes too long on this text".into());
            }
            match self.p.get(p) {
                None => return Ok(Some(s)),
                // Captures group nothing here: a pattern is found or not.
                Some(b'(' | b')') => {
                    p += 1;
                    continue;
                }
                Some(b'$') if p + 1 == self.p.len() => {
                    return Ok((s == self.s.len()).then_some(s));
                }
                Some(b'%') if matches!(self.p.get(p + 1), Some(b'b' | b'f' | b'0'..=b'9')) => {
                    return Err("%b, %f and back references are not supported here".into());
                }
                Some(_) => {}
            }
            let end = self.item_end(p)?;
            let fits = |search: &Self, at: usize| {
                search.s.get(at).is_some_and(|c| search.single(*c, p, end))
            };
            match self.p.get(end) {
                Some(b'?') => {
                    if fits(self, s)
                        && let Some(done) = self.here(s + 1, end + 1, depth + 1)?
                    {
                        return Ok(Some(done));
                    }
                    p = end + 1;
                }
                Some(repeat @ (b'*' | b'+')) => {
                    let mut most = s;
                    while fits(self, most) {
                        most += 1;
                    }
                    let least = if *repeat == b'+' { s + 1 } else { s };
                    while most >= least {
                        if let Some(done) = self.here(most, end + 1, depth + 1)? {
                            return Ok(Some(done));
                        }
                        if most == 0 {
                            break;
                        }
                        most -= 1;
                    }
                    return Ok(None);
                }
                Some(b'-') => loop {
                    if let Some(done) = self.here(s, end + 1, depth + 1)? {
                        return Ok(Some(done));
                    }
                    if !fits(self, s) {
                        return Ok(None);
                    }
                    s += 1;
                },
                _ => {
                    if !fits(self, s) {
                        return Ok(None);
                    }
                    s += 1;
                    p = end;
                }
            }
        }
    }

    /// Where the item that begins at `p` ends: `x`, `%x` or `[…]`.
    fn item_end(&self, p: usize) -> Result<usize, String> {
        let broken = || "the pattern ends in the middle of an item".to_owned();
        match self.p[p] {
            b'%' => self.p.get(p + 1).map(|_| p + 2).ok_or_else(broken),
            b'[' => {
                let mut at = p + 1;
                if self.p.get(at) == Some(&b'^') {
                    at += 1;
                }
                // A `]` that stands first is one of the set.
                let first = at;
                loop {
                    match self.p.get(at) {
                        None => return Err(broken()),
                        Some(b']') if at > first => return Ok(at + 1),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn single(&self, c: u8, p: usize, end: usize) -> bool {
        match self.p[p] {
            b'.' => true,
            b'%' => class(c, self.p[p + 1]),
            b'[' => self.set(c, p + 1, end - 1),
            literal => literal == c,
        }
    }

    fn set(&self, c: u8, mut p: usize, end: usize) -> bool {
        let negated = self.p.get(p) == Some(&b'^');
        if negated {
            p += 1;
        }
        while p < end {
            let inside = if self.p[p] == b'%' {
                let inside = class(c, self.p[p + 1]);
                p += 2;
                inside
            } else if p + 2 < end && self.p[p + 1] == b'-' {
                let inside = (self.p[p]..=self.p[p + 2]).contains(&c);
                p += 3;
                inside
            } else {
                let inside = self.p[p] == c;
                p += 1;
                inside
            };
            if inside {
                return !negated;
            }
        }
        negated
    }
}

fn class(c: u8, name: u8) -> bool {
    let inside = match name.to_ascii_lowercase() {
        b'a' => c.is_ascii_alphabetic(),
        b'c' => c.is_ascii_control(),
        b'd' => c.is_ascii_digit(),
        b'g' => c.is_ascii_graphic(),
        b'l' => c.is_ascii_lowercase(),
        b'p' => c.is_ascii_punctuation(),
        b's' => c.is_ascii_whitespace() || c == 0x0b,
        b'u' => c.is_ascii_uppercase(),
        b'w' => c.is_ascii_alphanumeric(),
        b'x' => c.is_ascii_hexdigit(),
        _ => return name == c,
    };
    inside != name.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_they_mean_in_lua() {
        let rows = [
            (r"^OPS%-%d+$", "OPS-12", true),
            (r"^OPS%-%d+$", "OPS-", false),
            (r"^OPS%-%d+$", "xOPS-12", false),
            ("b+", "abbc", true),
            ("^a.-c$", "abcbc", true),
            ("^[%w_]+$", "a_1", true),
            ("^[^%s]+$", "a b", false),
            ("^[a-c]*$", "abd", false),
            ("^[]x]$", "]", true),
            ("^(v?)(%d+)$", "v12", true),
            ("^%S+$", "é", true),
            ("^a$b", "a$b", true),
            ("", "", true),
            ("^x?$", "", true),
            ("%u%l*", "heLlo", true),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(found(pattern, text), Ok(expected), "{pattern} in {text}");
        }
    }

    #[test]
    fn a_broken_pattern_is_told() {
        for pattern in ["[a", "%", "[%", "%b()", "%f[a]"] {
            assert!(found(pattern, "a").is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_explodes_is_stopped() {
        let text = "a".repeat(40);
        assert!(found("^a*a*a*a*a*a*a*a*b$", &text).is_err());
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "[%\\[\\]^$().*+?a-d-]{0,12}", text in "[a-d%-]{0,12}") {
            let _ = found(&pattern, &text);
        }
    }
}
