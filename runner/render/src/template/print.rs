//! How values look when a template prints them, by Go's `fmt`.

use super::item::Item;

/// What an action prints.
pub(super) fn print(item: &Item<'_>) -> Result<String, String> {
    match item {
        Item::Nil => Ok("<no value>".to_owned()),
        other => plain(other),
    }
}

/// The form of `%v`.
pub(super) fn plain(item: &Item<'_>) -> Result<String, String> {
    Ok(match item {
        Item::Nil => "<nil>".to_owned(),
        Item::Bool(flag) => flag.to_string(),
        Item::Int(number) => number.to_string(),
        Item::Float(number) => float(*number),
        Item::Text(text) => text.to_string(),
        Item::List(items) => {
            let items: Vec<String> = items.iter().map(plain).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(" "))
        }
        Item::Map(map) => {
            let pair = |(key, item)| Ok(format!("{key}:{}", plain(item)?));
            let pairs: Vec<String> = map.iter().map(pair).collect::<Result<_, String>>()?;
            format!("map[{}]", pairs.join(" "))
        }
        Item::Record(_) | Item::Typed(_) => {
            return Err("this is a whole struct; name the field that is meant".to_owned());
        }
    })
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let exponent = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
    if !(-4.0..21.0).contains(&exponent) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{number}")
}

/// Go's `%q` of a text.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            '\u{7}' => out += "\\a",
            '\u{8}' => out += "\\b",
            '\u{b}' => out += "\\v",
            '\u{c}' => out += "\\f",
            c if (c as u32) < 0x20 || c == '\u{7f}' => out += &format!("\\x{:02x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
