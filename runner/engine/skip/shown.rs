//! Inputs as reasons show them: how something was and is, in few words. Looks at nothing.

use ops_core::trace::{Input, Print};
use ops_core::value::{Map, Value};

/// What a fact is, in few words.
pub(super) fn fact(input: &Input) -> String {
    match input {
        Input::Source { digest, .. } | Input::Need { digest, .. } | Input::Identity { digest } => {
            digest.0.chars().take(8).collect()
        }
        Input::Inventory { value, .. } => value.clone(),
        Input::Ops { version } => version.clone(),
        _ => String::new(),
    }
}

/// A fingerprint as people see it.
pub(super) fn print_shown(print: &Print) -> String {
    format!("{}, {} bytes", print.hash, print.size)
}

/// What is at a path.
pub(super) fn present(folder: bool) -> String {
    if folder { "a folder".into() } else { "a file".into() }
}

/// What of an answer of `fs.stat` is not as in the other: `mode 0644, size 3`.
pub(super) fn apart(answer: &str, other: &str) -> String {
    let fields = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let other = fields(other);
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let apart = fields(answer);
    let apart = apart.iter().filter(|(key, value)| other.get(*key) != Some(value));
    apart.map(|(key, value)| format!("{key} {}", word(value))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn only_what_differs_is_shown() {
        let (old, new) =
            (r#"{"dir":false,"mode":"0644","size":3}"#, r#"{"dir":false,"mode":"0755","size":4}"#);
        assert_eq!(apart(old, new), "mode 0644, size 3");
        assert_eq!(apart(new, old), "mode 0755, size 4");
        assert_eq!(apart(old, old), "");
    }
}
