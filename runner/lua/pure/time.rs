//! `time.add`, `time.since`, `time.format`, `time.seconds`: arithmetic on times that calls gave. Reads no clock.

use mlua::{Lua, Table, Value};
use ops_core::time::{Span, Time};

use super::wrong;

/// Adds the functions.
pub(super) fn functions(lua: &Lua, table: &Table) -> mlua::Result<()> {
    table.raw_set(
        "add",
        lua.create_function(|lua, (at, by): (Value, Value)| {
            Ok(time(lua, "time.add", &at)?.plus(span(lua, "time.add", &by)?).0)
        })?,
    )?;
    table.raw_set(
        "since",
        lua.create_function(|lua, (earlier, later): (Value, Value)| {
            let (a, b) = (time(lua, "time.since", &earlier)?, time(lua, "time.since", &later)?);
            Ok(b.since(a).to_string())
        })?,
    )?;
    table.raw_set(
        "seconds",
        lua.create_function(|lua, by: Value| {
            let ms = span(lua, "time.seconds", &by)?.0;
            Ok(if ms % 1000 == 0 {
                Value::Integer((ms / 1000) as i64)
            } else {
                Value::Number(ms as f64 / 1000.0)
            })
        })?,
    )?;
    table.raw_set(
        "format",
        lua.create_function(|lua, (at, pattern): (Value, Option<String>)| {
            let at = time(lua, "time.format", &at)?;
            let pattern = pattern.as_deref().unwrap_or("%Y-%m-%dT%H:%M:%SZ");
            format(at, pattern).map_err(|c| {
                wrong(lua, "time.format", format!("`%{c}` is none of %Y %m %d %H %M %S %%"))
            })
        })?,
    )
}

/// A time: milliseconds since the epoch, as `time.now {}` gives it.
fn time(lua: &Lua, function: &str, value: &Value) -> mlua::Result<Time> {
    match value {
        Value::Integer(ms) if *ms >= 0 => Ok(Time(*ms as u64)),
        _ => Err(wrong(
            lua,
            function,
            format!("`{function}` takes a time, such as `time.now {{}}` gives"),
        )),
    }
}

fn span(lua: &Lua, function: &str, value: &Value) -> mlua::Result<Span> {
    let text = super::text_of(lua, function, value)?;
    text.parse().map_err(|why: String| wrong(lua, function, why))
}

/// The time in UTC by a pattern; the letter that is none otherwise.
fn format(at: Time, pattern: &str) -> Result<String, char> {
    let seconds = at.0 / 1000;
    let (year, month, day) = date(seconds / 86_400);
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next().unwrap_or('%') {
            'Y' => out.push_str(&format!("{year:04}")),
            'm' => out.push_str(&format!("{month:02}")),
            'd' => out.push_str(&format!("{day:02}")),
            'H' => out.push_str(&format!("{:02}", seconds / 3600 % 24)),
            'M' => out.push_str(&format!("{:02}", seconds / 60 % 60)),
            'S' => out.push_str(&format!("{:02}", seconds % 60)),
            '%' => out.push('%'),
            other => return Err(other),
        }
    }
    Ok(out)
}

/// Year, month and day of a day since the epoch, in the Gregorian calendar (years that begin in March, in eras of 400 years).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ];
        for (ms, shown) in rows {
            assert_eq!(format(Time(ms), "%Y-%m-%dT%H:%M:%SZ"), Ok(shown.to_owned()));
        }
        assert_eq!(format(Time(0), "%j"), Err('j'));
        assert_eq!(format(Time(0), "100%%"), Ok("100%".into()));
    }
}
