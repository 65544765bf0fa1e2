//! Timestamps as go-yaml recognises them in plain scalars. Their value is
//! only ever written back, so it is kept as RFC 3339 text.

/// The RFC 3339 form of a scalar that is a timestamp; `None` if it is none.
pub(crate) fn timestamp(text: &str) -> Option<String> {
    let mut rest = Digits(text);
    let year = rest.exactly(4)?;
    let month = rest.after('-')?.up_to_two()?;
    let day = rest.after('-')?.up_to_two()?;
    if !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.0.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let zoned = match rest.0.as_bytes()[0] {
        b'T' | b't' => true,
        b' ' => false,
        _ => return None,
    };
    rest.0 = &rest.0[1..];
    let (hour, minute) = (rest.up_to_two()?, rest.after(':')?.up_to_two()?);
    let second = rest.after(':')?.up_to_two()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = rest.fraction();
    let zone = if zoned { rest.zone()? } else { "Z".to_owned() };
    rest.0.is_empty().then(|| format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn exactly(&mut self, count: usize) -> Option<u32> {
        let digits = self.0.get(..count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = &self.0[count..];
        digits.parse().ok()
    }

    fn up_to_two(&mut self) -> Option<u32> {
        self.exactly(2).or_else(|| self.exactly(1))
    }

    fn after(&mut self, separator: char) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(separator)?;
        Some(self)
    }

    /// `.123000` as `.123`; nothing where no fraction follows.
    fn fraction(&mut self) -> String {
        if !self.0.starts_with(['.', ',']) {
            return String::new();
        }
        let digits = self.0[1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return String::new();
        }
        let kept = self.0[1..=digits.min(9)].trim_end_matches('0').to_owned();
        self.0 = &self.0[1 + digits..];
        if kept.is_empty() { kept } else { format!(".{kept}") }
    }

    fn zone(&mut self) -> Option<String> {
        if let Some(rest) = self.0.strip_prefix('Z') {
            self.0 = rest;
            return Some("Z".to_owned());
        }
        let sign = self.0.chars().next().filter(|sign| "+-".contains(*sign))?;
        self.0 = &self.0[1..];
        let (hours, minutes) = (self.exactly(2)?, self.after(':')?.exactly(2)?);
        if hours > 24 || minutes > 60 {
            return None;
        }
        let zero = hours == 0 && minutes == 0;
        Some(if zero { "Z".to_owned() } else { format!("{sign}{hours:02}:{minutes:02}") })
    }
}
