//! Sizes, percentages and durations as Go's libraries read and write them.

const UNITS: &[(&str, f64)] = &[
    ("", 1.0),
    ("b", 1.0),
    ("k", 1e3),
    ("kb", 1e3),
    ("m", 1e6),
    ("mb", 1e6),
    ("g", 1e9),
    ("gb", 1e9),
    ("t", 1e12),
    ("tb", 1e12),
    ("p", 1e15),
    ("pb", 1e15),
    ("e", 1e18),
    ("eb", 1e18),
    ("ki", 1024.0),
    ("kib", 1024.0),
    ("mi", 1_048_576.0),
    ("mib", 1_048_576.0),
    ("gi", 1_073_741_824.0),
    ("gib", 1_073_741_824.0),
    ("ti", 1_099_511_627_776.0),
    ("tib", 1_099_511_627_776.0),
    ("pi", 1_125_899_906_842_624.0),
    ("pib", 1_125_899_906_842_624.0),
    ("ei", 1_152_921_504_606_846_976.0),
    ("eib", 1_152_921_504_606_846_976.0),
];

/// Bytes out of a size like `10GB`, `1.5 GiB` or `1,000`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let error = || format!("`{text}` is no size like 10GB or 512MiB");
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let number: f64 = text[..end].replace(',', "").parse().map_err(|_| error())?;
    let unit = text[end..].trim().to_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
    let value = number * factor;
    if value >= u64::MAX as f64 { Err(error()) } else { Ok(value as u64) }
}

/// A size in decimal units with two digits (`10 GB`), as a person reads it.
fn rounded(value: u64) -> String {
    const NAMES: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 10 {
        return format!("{value} B");
    }
    let exponent = ((value as f64).ln() / 1000f64.ln()).floor();
    let scaled = (value as f64 / 1000f64.powf(exponent) * 10.0 + 0.5).floor() / 10.0;
    let name = NAMES[exponent as usize];
    if scaled < 10.0 { format!("{scaled:.1} {name}") } else { format!("{scaled:.0} {name}") }
}

/// How a partition size is written: rounded where that loses nothing.
/// The second value tells whether it is text rather than a number.
pub(crate) fn disk_size(value: u64) -> (String, bool) {
    if value.is_multiple_of(1000) {
        let text = rounded(value);
        if bytes(&text) == Ok(value) {
            return (text, true);
        }
    }
    (value.to_string(), false)
}

/// Checks a percentage like `50%` or `-10%`.
pub(crate) fn percentage(text: &str) -> Result<(), String> {
    let error = || format!("`{text}` is no percentage between 0% and 100%");
    let number = text.strip_suffix('%').ok_or_else(error)?;
    let number = number.strip_prefix('-').unwrap_or(number);
    let value: f64 = number.parse().map_err(|_| error())?;
    if (0.0..=100.0).contains(&value) { Ok(()) } else { Err(error()) }
}

/// Checks a size; a minus in front is allowed.
pub(crate) fn byte_size(text: &str) -> Result<(), String> {
    bytes(text.strip_prefix('-').unwrap_or(text)).map(|_| ())
}

/// Checks a condition like `>= 100GB` and gives operator and bytes.
pub(crate) fn size_condition(text: &str) -> Result<(String, u64), String> {
    let operator = [">=", "<=", ">", "<", "=="].into_iter().find(|op| text.starts_with(op));
    let operator = operator.unwrap_or("");
    let size = bytes(text[operator.len()..].trim())
        .map_err(|_| format!("`{text}` is no disk size condition like `>= 100GB`"))?;
    Ok((operator.to_owned(), size))
}

/// Nanoseconds out of a duration like `1h30m` or `1.5s`.
pub(crate) fn duration(text: &str) -> Result<i128, String> {
    let error = || format!("`{text}` is no duration like 30s or 1h30m");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(error());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let nanoseconds: i128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(error()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(error());
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| error())? };
        total = whole
            .checked_mul(nanoseconds)
            .and_then(|part| part.checked_add(total))
            .ok_or_else(error)?;
        let fraction = &fraction[..fraction.len().min(18)];
        if !fraction.is_empty() {
            let digits: f64 = fraction.parse().map_err(|_| error())?;
            let scale = 10f64.powi(fraction.len() as i32);
            total += (digits * (nanoseconds as f64 / scale)) as i128;
        }
        rest = tail;
    }
    let limit = i128::from(i64::MAX) + i128::from(negative);
    if total > limit { Err(error()) } else { Ok(if negative { -total } else { total }) }
}

/// A duration as Go writes it: `1h30m0s`, `1.5s`, `100ms`, `0s`.
pub(crate) fn format_duration(nanoseconds: i128) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let left = nanoseconds.unsigned_abs();
    if left == 0 {
        return "0s".to_owned();
    }
    if left < 1_000_000_000 {
        let (divisor, unit) = match left {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "\u{b5}s"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{unit}", decimal(left, divisor));
    }
    let seconds = decimal(left % 60_000_000_000, 1_000_000_000);
    let minutes = left / 60_000_000_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u128, divisor: u128) -> String {
    let (whole, rest) = (value / divisor, value % divisor);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = divisor.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}
