//! What a plain scalar means, by the rules of the two go-yaml versions that
//! Talos uses, and how numbers are written. It knows nothing of nodes.

use super::timestamp::timestamp;

/// The two dialects: version 4 reads and writes documents, version 2 is
/// behind JSON patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V4,
    V2,
}

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    /// Fits in 64 bits, signed or unsigned.
    Int(i128),
    Float(f64),
    /// RFC 3339 text.
    Time(String),
    /// The merge key `<<`.
    Merge,
    Text,
}

impl Meaning {
    /// The short tag that messages use.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Meaning::Null => "!!null",
            Meaning::Bool(_) => "!!bool",
            Meaning::Int(_) => "!!int",
            Meaning::Float(_) => "!!float",
            Meaning::Time(_) => "!!timestamp",
            Meaning::Merge => "!!merge",
            Meaning::Text => "!!str",
        }
    }
}

/// Resolves a plain scalar without a tag.
pub(crate) fn resolve(text: &str, dialect: Dialect) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Meaning::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Meaning::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Meaning::Float(f64::NEG_INFINITY),
        "<<" if dialect == Dialect::V4 => return Meaning::Merge,
        "-0" | "-0.0" if dialect == Dialect::V4 => return Meaning::Float(-0.0),
        _ => {}
    }
    if dialect == Dialect::V2
        && let Some(truth) = old_bool(text)
    {
        return Meaning::Bool(truth);
    }
    match text.as_bytes()[0] {
        b'.' => float(text).map_or(Meaning::Text, Meaning::Float),
        b'0'..=b'9' | b'+' | b'-' => number_or_time(text),
        _ => Meaning::Text,
    }
}

/// The booleans of YAML 1.1 that YAML 1.2 dropped.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn number_or_time(text: &str) -> Meaning {
    if let Some(time) = timestamp(text) {
        return Meaning::Time(time);
    }
    let plain = text.replace('_', "");
    if let Some(value) = integer(&plain) {
        return Meaning::Int(value);
    }
    float(&plain).map_or(Meaning::Text, Meaning::Float)
}

/// A 64 bit integer as Go's `ParseInt` or `ParseUint` read it with base 0.
fn integer(text: &str) -> Option<i128> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    let most = if signed { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
    (i128::from(i64::MIN)..=most).contains(&value).then_some(value)
}

/// A decimal float; YAML has no hexadecimal ones and spells infinity its own way.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    if !mantissa_ok || !exponent_ok {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Whether a text looks like the base 60 floats of YAML 1.1 (`1:30`).
pub(crate) fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let head = parts.next().unwrap_or("");
    let mut rest: Vec<&str> = parts.collect();
    let Some(last) = rest.pop() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let sixty = |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    let loose = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    head.starts_with(|digit: char| digit.is_ascii_digit())
        && head.bytes().all(loose)
        && rest.iter().all(|part| sixty(part))
        && sixty(last)
        && fraction.bytes().all(loose)
}

/// A float as Go writes it with `%g` and the shortest precision.
pub(crate) fn format_float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // With the shortest precision Go decides as if six digits were asked for.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}
