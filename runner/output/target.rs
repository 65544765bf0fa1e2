//! The flags by which a command named its target: commands to copy name the same one. Resolves nothing.

use ops_core::error::Fault;

/// What `-C`, `--cluster` and `--lab` said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// `-C`.
    pub directory: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--lab`: the same words without it would reach the real cluster.
    pub lab: bool,
}

/// Which of the flags mean something to a subcommand.
const VERBS: [(&[&str], Flags); 3] = [
    (
        &["run", "plan", "watch", "why", "verify", "adopt", "status", "resume", "history", "diff"],
        Flags { cluster: true, lab: true },
    ),
    (&["lab"], Flags { cluster: true, lab: false }),
    (&["list", "show", "patch"], Flags { cluster: false, lab: false }),
];

#[derive(Clone, Copy)]
struct Flags {
    cluster: bool,
    lab: bool,
}

impl Target {
    /// A text with each command of `ops` in it as it must be typed here. One that names a target already stays as it is.
    pub fn command(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("ops ") {
            let (before, from) = rest.split_at(at);
            let (name, behind) = from.split_at("ops ".len());
            out.push_str(before);
            out.push_str(name);
            rest = behind;
            let begins = !before.ends_with(|c: char| c.is_alphanumeric() || "-_/.".contains(c));
            let verb = behind.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            let known = VERBS.iter().find(|(verbs, _)| verbs.contains(&verb));
            if let Some((_, flags)) = known.filter(|_| begins) {
                out.push_str(&self.flags(*flags));
            }
        }
        out + rest
    }

    fn flags(&self, take: Flags) -> String {
        let mut out = String::new();
        if let Some(directory) = &self.directory {
            out.push_str(&format!("-C {} ", word(directory)));
        }
        if let Some(cluster) = self.cluster.as_ref().filter(|_| take.cluster) {
            out.push_str(&format!("--cluster {} ", word(cluster)));
        }
        if self.lab && take.lab {
            out.push_str("--lab ");
        }
        out
    }

    /// An error with its commands as they must be typed here.
    pub fn fault(&self, mut fault: Fault) -> Fault {
        for lines in [&mut fault.next, &mut fault.help, &mut fault.details] {
            for line in lines {
                *line = self.command(line);
            }
        }
        fault
    }
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(directory: &str, cluster: &str, lab: bool) -> Target {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Target { directory: some(directory), cluster: some(cluster), lab }
    }

    #[test]
    fn commands_name_the_target_that_this_one_named() {
        let rows = [
            (target("", "", true), "ops run a:b --x 1", "ops --lab run a:b --x 1"),
            (target("", "home", true), "ops resume 7k2m", "ops --cluster home --lab resume 7k2m"),
            (target("my ops", "", false), "ops status", "ops -C 'my ops' status"),
            (target("x", "home", true), "ops show a:b", "ops -C x show a:b"),
            (target("x", "home", true), "ops lab up", "ops -C x --cluster home lab up"),
            (
                target("", "home", true),
                "see `ops adopt` first",
                "see `ops --cluster home --lab adopt` first",
            ),
            (target("", "", true), "ops --help", "ops --help"),
            (
                target("", "", true),
                "my-ops run, devops run, cops runs",
                "my-ops run, devops run, cops runs",
            ),
            (target("", "", false), "ops run a:b", "ops run a:b"),
        ];
        for (target, text, expected) in rows {
            assert_eq!(target.command(text), expected);
            assert_eq!(target.command(expected), expected, "said once");
        }
    }
}
