//! The part of Go's templates that patches mostly use: a field, a variable of the environment, and `if` over either. Everything else is refused
//! at its line, never guessed.

use std::collections::BTreeMap;

/// Fills a template in.
///
/// # Errors
/// The line, and why.
pub(super) fn fill(
    text: &str,
    names: &BTreeMap<String, String>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (usize, String)> {
    let mut out = String::new();
    // Of each open `if`: its line, whether its present part is shown, and whether any part was.
    let mut open: Vec<(usize, bool, bool)> = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some((before, after)) = rest.split_once("{{") {
        let trimmed = after.starts_with("- ");
        let shown = open.iter().all(|(_, shown, _)| *shown);
        if shown {
            out.push_str(if trimmed { before.trim_end() } else { before });
        }
        line += before.matches('\n').count();
        let Some((action, after)) = after.split_once("}}") else {
            return Err((line, "the template does not end: `}}` is missing".to_owned()));
        };
        let here = line;
        line += action.matches('\n').count();
        let trims = action.ends_with(" -");
        let words = action.trim_start_matches("- ").trim_end_matches(" -").trim();
        let wrong = |why: String| (here, why);
        if words.starts_with("/*") {
            // A comment.
        } else if let Some(condition) = words.strip_prefix("if ") {
            let holds = shown && truth(condition.trim(), names, variable).map_err(wrong)?;
            open.push((here, holds, holds));
        } else if words == "else" {
            let Some((_, shows, had)) = open.last_mut() else {
                return Err(wrong("`else` without `if`".to_owned()));
            };
            (*shows, *had) = (!*had, true);
        } else if words == "end" {
            if open.pop().is_none() {
                return Err(wrong("`end` without `if`".to_owned()));
            }
        } else if shown {
            out.push_str(&value(words, names, variable).map_err(wrong)?);
        }
        rest = after;
        if trims {
            let left = rest.trim_start();
            line += rest[..rest.len() - left.len()].matches('\n').count();
            rest = left;
        }
    }
    if let Some((line, ..)) = open.first() {
        return Err((*line, "`if` without `end`".to_owned()));
    }
    Ok(out + rest)
}

fn truth(
    condition: &str,
    names: &BTreeMap<String, String>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<bool, String> {
    let (condition, wanted) = match condition.strip_prefix("not ") {
        Some(rest) => (rest.trim(), false),
        None => (condition, true),
    };
    let value = value(condition, names, variable)?;
    Ok(!matches!(value.as_str(), "" | "false" | "0") == wanted)
}

fn value(
    words: &str,
    names: &BTreeMap<String, String>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    if let Some(name) = words.strip_prefix("env ") {
        let name = name.trim().trim_matches('"');
        return Ok(variable(name).unwrap_or_default());
    }
    let field =
        words.starts_with('.') && words.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    if !field {
        return Err(format!("`{{{{ {words} }}}}` is more of Go's templates than is rendered here"));
    }
    names.get(words).cloned().ok_or_else(|| format!("`{words}` is not defined"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, (usize, String)> {
        let names = [(".Node.Host", "w-1"), (".Data.on", "true"), (".Data.off", "false")];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        fill(text, &names, &|name| (name == "SET").then(|| "value".to_owned()))
    }

    #[test]
    fn fields_variables_and_conditions_are_filled_in() {
        let rows = [
            ("host: {{ .Node.Host }}\n", "host: w-1\n"),
            ("a: {{env \"SET\"}}{{ env \"UNSET\" }}", "a: value"),
            ("{{ if .Data.on }}a{{ else }}b{{ end }}", "a"),
            ("{{ if .Data.off }}a{{ else }}b{{ end }}", "b"),
            ("{{ if not .Data.off -}}\n a\n{{- end }}\n", "a\n"),
            ("{{ if .Data.off }}{{ if .Data.none }}x{{ end }}{{ end }}c", "c"),
            ("x{{/* words */}}y", "xy"),
        ];
        for (text, expected) in rows {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_at_its_line() {
        let rows = [
            ("a\n{{ .Data.none }}", 2, "`.Data.none` is not defined"),
            ("{{ range .Data.list }}", 1, "more of Go's templates"),
            ("a\nb\n{{ if .Data.on }}", 3, "`if` without `end`"),
            ("{{ end }}", 1, "`end` without `if`"),
            ("{{ x", 1, "does not end"),
            ("{{ .Data.on | quote }}", 1, "more of Go's templates"),
        ];
        for (text, line, why) in rows {
            let (at, told) = filled(text).unwrap_err();
            assert!(at == line && told.contains(why), "{text}: {at} {told}");
        }
    }
}
