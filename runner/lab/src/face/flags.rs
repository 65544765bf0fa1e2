//! The flag grammar of pflag, which talosctl and kubectl share: long and short forms, `=`, clusters of
//! short booleans, repeats, `--`. Knows no command; an unknown flag is the caller's to refuse.

use crate::world::Ms;
use std::collections::BTreeMap;

/// Type of a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// `--x` or `--x=true`.
    Bool,
    /// One value; the last wins.
    One,
    /// Comma lists and repeats: their union.
    List,
}

/// A flag: long name, short letter or a space, type.
pub(crate) type Flag = (&'static str, char, Takes);

/// A parsed command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    /// Words that are no flags.
    pub(crate) words: Vec<String>,
    values: BTreeMap<&'static str, Vec<String>>,
}

/// What is wrong with a command line, in pflag's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FlagError {
    /// No such flag.
    Unknown(String),
    /// Anything else.
    Bad(String),
}

impl Parsed {
    /// Reads the arguments by these flags.
    pub(crate) fn read(args: &[String], flags: &[Flag]) -> Result<Self, FlagError> {
        let mut parsed = Self::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                parsed.words.extend(rest.cloned());
                break;
            } else if let Some(long) = arg.strip_prefix("--") {
                let (name, given) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let flag = flags
                    .iter()
                    .find(|flag| flag.0 == name)
                    .ok_or_else(|| FlagError::Unknown(format!("unknown flag: --{name}")))?;
                let value = match (given, flag.2) {
                    (Some(value), _) => value,
                    (None, Takes::Bool) => "true".to_owned(),
                    (None, _) => rest.next().cloned().ok_or_else(|| {
                        FlagError::Bad(format!("flag needs an argument: --{name}"))
                    })?,
                };
                parsed.set(*flag, &value)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                parsed.shorts(&arg[1..], arg, flags, &mut rest)?;
            } else {
                parsed.words.push(arg.clone());
            }
        }
        Ok(parsed)
    }

    fn shorts<'a>(
        &mut self,
        cluster: &str,
        arg: &str,
        flags: &[Flag],
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), FlagError> {
        let mut letters = cluster;
        while let Some(letter) = letters.chars().next() {
            let after = &letters[letter.len_utf8()..];
            let flag =
                flags.iter().find(|flag| flag.1 == letter && letter != ' ').ok_or_else(|| {
                    FlagError::Unknown(format!("unknown shorthand flag: {letter:?} in {arg}"))
                })?;
            if let Some(value) = after.strip_prefix('=') {
                return self.set(*flag, value);
            }
            if flag.2 == Takes::Bool {
                self.set(*flag, "true")?;
                letters = after;
                continue;
            }
            if !after.is_empty() {
                return self.set(*flag, after);
            }
            let value = rest.next().ok_or_else(|| {
                FlagError::Bad(format!("flag needs an argument: {letter:?} in {arg}"))
            })?;
            return self.set(*flag, value);
        }
        Ok(())
    }

    fn set(&mut self, (name, short, takes): Flag, value: &str) -> Result<(), FlagError> {
        let values = self.values.entry(name).or_default();
        match takes {
            Takes::Bool => {
                let shown =
                    if short == ' ' { format!("--{name}") } else { format!("-{short}, --{name}") };
                let parsed = boolean(value).ok_or_else(|| {
                    FlagError::Bad(format!(
                        "invalid argument {value:?} for {shown:?} flag: strconv.ParseBool: parsing {value:?}: invalid syntax"
                    ))
                })?;
                *values = vec![parsed.to_string()];
            }
            Takes::One => *values = vec![value.to_owned()],
            // An empty value is an empty list, and the flag counts as given.
            Takes::List if value.is_empty() => {}
            Takes::List => values.extend(value.split(',').map(str::to_owned)),
        }
        Ok(())
    }

    /// Whether the flag was given at all.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A boolean.
    pub(crate) fn bool(&self, name: &str, default: bool) -> bool {
        self.one(name).map_or(default, |value| value == "true")
    }

    /// The value of a flag that takes one.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    /// The union of a list.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// A Go duration.
    pub(crate) fn duration(&self, name: &str, default: Ms) -> Result<Ms, FlagError> {
        let Some(value) = self.one(name) else { return Ok(default) };
        duration(value).ok_or_else(|| {
            FlagError::Bad(format!(
                "invalid argument {value:?} for \"--{name}\" flag: time: invalid duration {value:?}"
            ))
        })
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A Go duration in milliseconds.
pub(crate) fn duration(text: &str) -> Option<Ms> {
    if text == "0" {
        return Some(0);
    }
    let mut total = 0u64;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let factor = match &rest[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[unit..];
    }
    Some(total)
}

/// A duration as Go prints it.
pub(crate) fn go_duration(ms: Ms) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    if ms < 1_000 && ms > 0 {
        return format!("{ms}ms");
    }
    let fraction = if rest == 0 {
        String::new()
    } else {
        format!(".{rest:03}").trim_end_matches('0').to_owned()
    };
    let (hours, minutes, left) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}h{minutes}m{left}{fraction}s")
    } else if minutes > 0 {
        format!("{minutes}m{left}{fraction}s")
    } else {
        format!("{left}{fraction}s")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Flag, FlagError, Parsed, Takes, duration, go_duration};

    const FLAGS: [Flag; 4] = [
        ("nodes", 'n', Takes::List),
        ("graceful", ' ', Takes::Bool),
        ("insecure", 'i', Takes::Bool),
        ("file", 'f', Takes::One),
    ];

    fn read(line: &str) -> Result<Parsed, FlagError> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Parsed::read(&args, &FLAGS)
    }

    #[test]
    fn every_spelling_of_a_list_is_one_union() {
        for line in ["-n a,b", "-na -n=b", "--nodes=a --nodes b", "--nodes a,b", "-n=a,b"] {
            assert_eq!(read(line).unwrap().list("nodes"), ["a", "b"], "{line}");
        }
    }

    #[test]
    fn a_boolean_takes_its_value_only_behind_an_equals_sign() {
        for (line, value) in [
            ("--graceful=false", false),
            ("--graceful=F", false),
            ("--graceful=0", false),
            ("--graceful", true),
            ("--graceful=T", true),
        ] {
            assert_eq!(read(line).unwrap().bool("graceful", true), value, "{line}");
        }
        assert_eq!(read("--graceful false").unwrap().words, ["false"]);
        assert!(matches!(read("--graceful=no"), Err(FlagError::Bad(_))));
    }

    #[test]
    fn short_booleans_cluster_and_the_last_may_take_a_value() {
        let parsed = read("-if cp.yaml").unwrap();
        assert!(parsed.bool("insecure", false));
        assert_eq!(parsed.one("file"), Some("cp.yaml"));
    }

    #[test]
    fn abbreviations_are_unknown_flags() {
        assert!(matches!(read("--gracef"), Err(FlagError::Unknown(_))));
    }

    #[test]
    fn an_empty_list_counts_as_given() {
        let args = ["--nodes".to_owned(), String::new()];
        let parsed = Parsed::read(&args, &FLAGS).unwrap();
        assert!(parsed.given("nodes") && parsed.list("nodes").is_empty());
    }

    #[test]
    fn durations_are_gos() {
        for (text, ms) in [
            ("5m", Some(300_000)),
            ("1h2m3s", Some(3_723_000)),
            ("0", Some(0)),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(duration(text), ms, "{text}");
        }
        assert_eq!(go_duration(60_000), "1m0s");
        assert_eq!(go_duration(1_500), "1.5s");
    }
}
