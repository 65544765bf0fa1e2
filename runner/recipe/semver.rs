//! Versions and version ranges as recipes and ops.toml write them: `v1.13.0`, `>=1.11 <2`. Compares; fetches nothing.

use std::cmp::Ordering;
use std::fmt;

/// A version: three numbers and perhaps a pre-release. Build metadata is dropped: it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Version {
    /// Reads a version, with or without the leading `v`.
    ///
    /// # Errors
    /// A text that says what is expected.
    pub fn parse(text: &str) -> Result<Version, String> {
        let (version, parts) = Version::partial(text)?;
        if parts < 3 {
            return Err(wrong(text));
        }
        Ok(version)
    }

    /// As `parse`, but `1` and `1.11` are read too; gives how many numbers were said.
    fn partial(text: &str) -> Result<(Version, usize), String> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let bare = bare.split('+').next().unwrap_or(bare);
        let (release, pre) = match bare.split_once('-') {
            Some((release, pre)) => (release, Some(pre)),
            None => (bare, None),
        };
        let mut numbers = [0; 3];
        let parts: Vec<&str> = release.split('.').collect();
        if parts.len() > 3 {
            return Err(wrong(text));
        }
        for (slot, part) in numbers.iter_mut().zip(&parts) {
            let digits = !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            *slot = part.parse().ok().filter(|_| digits).ok_or_else(|| wrong(text))?;
        }
        let pre: Vec<String> =
            pre.map(|pre| pre.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let good = |id: &String| {
            !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !pre.iter().all(good) || (!pre.is_empty() && parts.len() < 3) {
            return Err(wrong(text));
        }
        Ok((Version { numbers, pre }, parts.len()))
    }
}

fn wrong(text: &str) -> String {
    format!("`{text}` is no version such as \"v1.13.0\"")
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre[..], &other.pre[..]) {
            ([], []) => Ordering::Equal,
            ([], _) => Ordering::Greater,
            (_, []) => Ordering::Less,
            (a, b) => pre_release(a, b),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Numbers compare as numbers and stand before words; the shorter of two alike stands first.
fn pre_release(a: &[String], b: &[String]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "v{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre.join("."))?;
        }
        Ok(())
    }
}

/// A range: conditions that all hold, separated by spaces or commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range(Vec<(Comparison, Version)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Range {
    /// Reads a range such as `>=1.11 <2` or `>=3.16, <5`.
    ///
    /// # Errors
    /// A text that says what is expected.
    pub fn parse(text: &str) -> Result<Range, String> {
        let mut conditions = Vec::new();
        for word in text.split([' ', ',']).filter(|w| !w.is_empty()) {
            let split = word.find(|c: char| !"<>=".contains(c)).unwrap_or(word.len());
            let comparison = match &word[..split] {
                "" | "=" => Comparison::Equal,
                "<" => Comparison::Less,
                "<=" => Comparison::LessEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterEqual,
                _ => return Err(format!("`{word}` is no condition such as \">=1.11\"")),
            };
            conditions.push((comparison, Version::partial(&word[split..])?.0));
        }
        if conditions.is_empty() {
            return Err("the range is empty".into());
        }
        Ok(Range(conditions))
    }

    /// Whether a version satisfies every condition. A pre-release of an upper bound lies outside: `v2.0.0-alpha` is not `<2`.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|(comparison, bound)| {
            let order = version.cmp(bound);
            match comparison {
                Comparison::Equal => order == Ordering::Equal,
                Comparison::Less => order == Ordering::Less && version.numbers != bound.numbers,
                Comparison::LessEqual => order != Ordering::Greater,
                Comparison::Greater => order == Ordering::Greater,
                Comparison::GreaterEqual => order != Ordering::Less,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_releases_are() {
        let order = [
            "v1.9.0",
            "v1.13.0-alpha.2",
            "v1.13.0-alpha.10",
            "1.13.0-beta.0",
            "v1.13.0",
            "v1.13.1",
        ];
        for pair in order.windows(2) {
            let (a, b) = (Version::parse(pair[0]).unwrap(), Version::parse(pair[1]).unwrap());
            assert!(a < b, "{a} < {b}");
        }
        assert_eq!(Version::parse("v1.13.0+x").unwrap(), Version::parse("1.13.0").unwrap());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "v", "1", "1.13", "1.13.0.0", "v1.x.0", "1.13.-1", "1.13.0-", "latest"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_holds_what_lies_in_it() {
        let rows = [
            (">=1.11 <2", "v1.11.0", true),
            (">=1.11 <2", "v1.10.9", false),
            (">=1.11 <2", "v2.0.0", false),
            (">=1.11 <2", "v2.0.0-alpha.1", false),
            (">=3.16, <5", "4.1.2", true),
            ("1.13.0", "v1.13.0", true),
            (">1.13.0", "v1.13.0", false),
            ("<=1.13.0", "v1.13.0-rc.0", true),
        ];
        for (range, version, inside) in rows {
            let range = Range::parse(range).unwrap();
            assert_eq!(range.contains(&Version::parse(version).unwrap()), inside, "{version}");
        }
        for bad in ["", "=>1", ">=x", "~1.2"] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }
}
