//! The grammar of cobra and pflag command lines: what a word is, which flag takes a value, where the verb ends. Strict where the tools
//! are lax: what is not in the tables is an error, so a tool's new flag or verb is refused until somebody has looked at it.
//!
//! Knows no tool and judges nothing.

/// A tool's command line in tables.
pub(super) struct Tool {
    /// Program name.
    pub name: &'static str,
    /// Flags of every verb.
    pub globals: &'static str,
    /// Verbs that are known.
    pub verbs: &'static [Verb],
    /// Variables that name a target for this tool.
    pub env: &'static [&'static str],
    /// Flags that name a target, in groups that tools share.
    pub targets: &'static [&'static [&'static str]],
}

/// A verb with its own flags.
///
/// Flags are words: `A:all-namespaces` is a boolean with a short form, `o:output=` takes a value, `dry-run?` takes one only after `=`,
/// `!raw=` is known and never a read.
pub(super) struct Verb {
    /// Its words; `|` separates aliases of one word: `etcd alarm list`, `get|g`.
    pub words: &'static str,
    /// Its flags.
    pub flags: &'static str,
    /// What it does.
    pub does: Does,
}

/// What a verb does.
#[derive(Clone, Copy)]
pub(super) enum Does {
    /// Reads, whatever words follow.
    Reads,
    /// Reads when this many words follow at most.
    ReadsUpTo(usize),
    /// Reads when no further word follows but these as the second one.
    ReadsWith(&'static [&'static str]),
    /// Anything else; the text says what to use instead.
    Writes(&'static str),
}

/// A verb that reads.
pub(super) const fn reads(words: &'static str, flags: &'static str) -> Verb {
    Verb { words, flags, does: Does::Reads }
}

/// A verb that reads, and takes no further words.
pub(super) const fn alone(words: &'static str, flags: &'static str) -> Verb {
    Verb { words, flags, does: Does::ReadsUpTo(0) }
}

/// A verb that changes or destroys something, and what stands in for it.
pub(super) const fn writes(words: &'static str, instead: &'static str) -> Verb {
    Verb { words, flags: "", does: Does::Writes(instead) }
}

/// A flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// Its long name.
    pub name: &'static str,
    /// Its value; `true` for a bare boolean.
    pub value: String,
    /// Never a read.
    pub denied: bool,
    /// A boolean that says no: as if it were not there.
    pub off: bool,
}

/// A parsed command line.
pub(super) struct Parsed {
    /// The verb.
    pub verb: &'static Verb,
    /// Its words, first aliases: `apply-config`.
    pub name: String,
    /// Flags in the order given; a repeated one stands there twice.
    pub flags: Vec<Given>,
    /// Further words.
    pub rest: Vec<String>,
}

/// Why a command line could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unparsed {
    /// No verb of the tables begins like this.
    Verb(String),
    /// No such flag here.
    Flag(String),
    /// A flag without its value, a boolean that is none, a bare `--` before the verb.
    Syntax(String),
    /// Only help is asked for, or there is no word at all.
    Help,
}

/// What a flag of the tables is.
struct Flag {
    name: &'static str,
    short: Option<char>,
    kind: Kind,
    denied: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Value,
    Optional,
}

fn flags(table: &'static str) -> impl Iterator<Item = Flag> {
    table.split_whitespace().map(|word| {
        let (word, denied) = word.strip_prefix('!').map_or((word, false), |rest| (rest, true));
        let (word, kind) = match (word.strip_suffix('='), word.strip_suffix('?')) {
            (Some(word), _) => (word, Kind::Value),
            (_, Some(word)) => (word, Kind::Optional),
            _ => (word, Kind::Boolean),
        };
        let (short, name) = match word.split_once(':') {
            Some((short, name)) => (short.chars().next(), name),
            None => (None, word),
        };
        Flag { name, short, kind, denied }
    })
}

/// Whether the words of a verb begin with the given ones.
fn begins(verb: &Verb, words: &[String]) -> bool {
    let mut own = verb.words.split(' ');
    words.iter().all(|word| own.next().is_some_and(|own| own.split('|').any(|alias| alias == word)))
}

fn name(verb: &Verb) -> String {
    let first = |word: &str| word.split('|').next().unwrap_or(word).to_owned();
    verb.words.split(' ').map(first).collect::<Vec<_>>().join(" ")
}

/// Parses a command line as the tool itself would.
///
/// # Errors
/// What is not in the tables.
pub(super) fn parse(tool: &'static Tool, args: &[String]) -> Result<Parsed, Unparsed> {
    let mut line =
        Line { tool, words: Vec::new(), verb: None, flags: Vec::new(), rest: Vec::new() };
    if asks_for_help(tool, args) {
        return Err(Unparsed::Help);
    }
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            if line.verb.is_none() {
                return Err(Unparsed::Syntax("`--` before the verb".into()));
            }
            line.rest.extend(args.by_ref().cloned());
        } else if let Some(long) = arg.strip_prefix("--") {
            line.long(long, &mut args)?;
        } else if arg.starts_with('-') && arg != "-" {
            line.short(&arg[1..], &mut args)?;
        } else {
            line.word(arg)?;
        }
    }
    let Line { words, verb, flags, rest, .. } = line;
    match verb {
        Some(verb) => Ok(Parsed { verb, name: name(verb), flags, rest }),
        None => Err(Unparsed::Verb(words.join(" "))),
    }
}

/// Nothing at all, `help …`, or words of a known verb and then `--help`: prints and ends. A `--help` anywhere else may be the value of
/// another flag, and behind an unknown verb it may be a plugin's own.
fn asks_for_help(tool: &Tool, args: &[String]) -> bool {
    match args {
        [] => true,
        [first, rest @ ..] if first == "help" => rest.iter().all(|word| !word.starts_with('-')),
        [words @ .., last] if last == "--help" || last == "-h" => {
            words.is_empty() || tool.verbs.iter().any(|verb| begins(verb, words))
        }
        _ => false,
    }
}

struct Line {
    tool: &'static Tool,
    words: Vec<String>,
    verb: Option<&'static Verb>,
    flags: Vec<Given>,
    rest: Vec<String>,
}

impl Line {
    fn word(&mut self, word: &str) -> Result<(), Unparsed> {
        if self.verb.is_some() {
            self.rest.push(word.to_owned());
            return Ok(());
        }
        self.words.push(word.to_owned());
        let mut begun = self.tool.verbs.iter().filter(|verb| begins(verb, &self.words)).peekable();
        if begun.peek().is_none() {
            return Err(Unparsed::Verb(self.words.join(" ")));
        }
        self.verb = begun.find(|verb| verb.words.split(' ').count() == self.words.len());
        Ok(())
    }

    /// The flag of a name: of the verb, of a verb that is still possible, or of all.
    fn find(&self, is: impl Fn(&Flag) -> bool) -> Option<Flag> {
        let own = match self.verb {
            Some(verb) => flags(verb.flags).find(&is),
            None if self.words.is_empty() => None,
            None => self
                .tool
                .verbs
                .iter()
                .filter(|verb| begins(verb, &self.words))
                // The tools skip the word behind a flag that they do not know yet. Only where it takes a value both readings agree.
                .find_map(|verb| flags(verb.flags).find(|f| f.kind == Kind::Value && is(f))),
        };
        own.or_else(|| flags(self.tool.globals).find(&is))
    }

    fn long<'a>(
        &mut self,
        text: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Unparsed> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let flag = self
            .find(|flag| flag.name == name)
            .ok_or_else(|| Unparsed::Flag(format!("--{name}")))?;
        let value = match (value, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Boolean | Kind::Optional) => "true".into(),
            (None, Kind::Value) => self.value(&format!("--{name}"), args.next())?,
        };
        self.give(&flag, value)
    }

    /// `-xVALUE`, `-x VALUE`, `-x=VALUE`, and booleans in a cluster: `-Aw`, `-An NAMESPACE`.
    fn short<'a>(
        &mut self,
        cluster: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Unparsed> {
        let mut rest = cluster.chars();
        while let Some(letter) = rest.next() {
            let flag = self
                .find(|flag| flag.short == Some(letter))
                .ok_or_else(|| Unparsed::Flag(format!("-{letter}")))?;
            let behind = rest.as_str();
            if let Some(value) = behind.strip_prefix('=') {
                return self.give(&flag, value.to_owned());
            }
            if flag.kind != Kind::Value {
                self.give(&flag, "true".into())?;
                continue;
            }
            if !behind.is_empty() {
                return self.give(&flag, behind.to_owned());
            }
            let value = self.value(&format!("-{letter}"), args.next())?;
            return self.give(&flag, value);
        }
        Ok(())
    }

    /// The word behind a flag. Before the verb, a word that is itself a verb is no value: should the tool take it for the verb, it would run.
    fn value(&self, flag: &str, word: Option<&String>) -> Result<String, Unparsed> {
        let Some(word) = word else {
            return Err(Unparsed::Syntax(format!("{flag} without a value")));
        };
        let verb = std::slice::from_ref(word);
        if self.verb.is_none() && self.tool.verbs.iter().any(|known| begins(known, verb)) {
            return Err(Unparsed::Syntax(format!(
                "{flag} {word}: value or verb? Write {flag}={word}"
            )));
        }
        Ok(word.clone())
    }

    fn give(&mut self, flag: &Flag, value: String) -> Result<(), Unparsed> {
        if flag.kind == Kind::Boolean && boolean(&value).is_none() {
            let name = flag.name;
            return Err(Unparsed::Syntax(format!("--{name}={value} is neither true nor false")));
        }
        let off = flag.kind == Kind::Boolean && boolean(&value) == Some(false);
        self.flags.push(Given { name: flag.name, value, denied: flag.denied, off });
        Ok(())
    }
}

/// The truth values of Go: `1 t T true TRUE True` and their opposites.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A list flag: each value is one line of comma-separated words, and repeats add up. An empty value adds nothing.
pub(super) fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    values
        .into_iter()
        .filter(|value| !value.is_empty())
        .flat_map(|value| value.split(','))
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}
