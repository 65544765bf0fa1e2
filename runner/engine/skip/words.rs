//! What a script names: the programs and scripts that it starts, and variables. Reads words as a shell does, as far as that goes without
//! running anything; in doubt it names one too many. Looks at no file.

use std::collections::BTreeSet;

/// What some lines of shell, or a command, name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Programs that it starts by name.
    pub(super) programs: BTreeSet<String>,
    /// Programs that it asks for: that there is none is an answer as well.
    pub(super) asked: BTreeSet<String>,
    /// Paths of scripts that it starts, or reads as its own lines.
    pub(super) scripts: BTreeSet<String>,
    /// Variables that it surely means.
    pub(super) variables: BTreeSet<String>,
    /// Words that may be the names of variables, where there are such.
    pub(super) capitals: BTreeSet<String>,
}

/// Words behind which a command goes on.
const KEYWORDS: [&str; 11] =
    ["if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "time"];
/// Programs that start the one that they name.
const WRAPPERS: [&str; 13] = [
    "exec", "command", "builtin", "env", "nohup", "nice", "ionice", "setsid", "stdbuf", "xargs",
    "timeout", "sudo", "doas",
];
/// Commands that are part of the shell, and behind which no other one stands.
const BUILTINS: [&str; 42] = [
    ":", "alias", "bg", "break", "case", "cd", "continue", "declare", "dirs", "done", "echo",
    "esac", "eval", "exit", "export", "false", "fg", "for", "function", "getopts", "jobs", "kill",
    "let", "local", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readonly", "return",
    "select", "set", "shift", "shopt", "trap", "true", "umask", "unset", "wait", "fi",
];
const SHELLS: [&str; 5] = ["bash", "sh", "dash", "zsh", "ksh"];
const INTERPRETERS: [&str; 8] = ["python", "node", "ruby", "perl", "lua", "php", "deno", "bun"];
/// Scripts in scripts in scripts, at most.
const DEEPEST: usize = 4;

/// What lines of bash name.
pub(super) fn of_script(script: &str) -> Words {
    let mut words = Words { variables: expanded(script), ..Words::default() };
    words.capitals = capitals(script);
    words.lines(script, 0);
    words
}

/// What a command without a shell names.
pub(super) fn of_command(argv: &[String]) -> Words {
    let mut words = Words::default();
    let all = argv.iter().map(|word| Token::Word { word: word.clone(), plain: true });
    words.read(all.collect(), 0);
    words
}

/// The variables that a script expands: `$NAME` and `${NAME…}`. One in single quotes or set by the script itself is one too many.
fn expanded(script: &str) -> BTreeSet<String> {
    let name = |(at, _): (usize, &str)| {
        let rest = &script[at + 1..];
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let rest = rest.strip_prefix(['#', '!']).unwrap_or(rest);
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned)
    };
    script.match_indices('$').filter_map(name).filter(|name| is_name(name)).collect()
}

/// Words in capitals: `env | grep MODE` means a variable.
fn capitals(script: &str) -> BTreeSet<String> {
    let words = script.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let capital = |word: &&str| {
        is_name(word) && word.len() > 1 && !word.contains(|c: char| c.is_ascii_lowercase())
    };
    words.filter(capital).map(str::to_owned).collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A piece of a script.
enum Token {
    /// A word without its quotes; not `plain` where only a shell knows what it becomes.
    Word { word: String, plain: bool },
    /// A new command begins.
    Start,
    /// Another command begins within this one.
    Open,
    /// It ends.
    Close,
    /// The next word is where output goes or input comes from.
    Redirect,
}

/// Where among the words of a command the next one stands.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Command,
    /// Behind a program that starts another: its own options come first.
    Wrapped,
    Argument,
    /// The path of a script comes.
    Script,
    /// The same behind options; a shell may be given its lines instead.
    Interpreter {
        shell: bool,
    },
    /// Lines of a shell come.
    Lines,
    /// Names of variables come.
    Variables,
    /// Names of programs come.
    Programs,
    /// Conditions come, among them `-v NAME`.
    Test {
        variable: bool,
    },
}

impl Words {
    fn lines(&mut self, script: &str, depth: usize) {
        if depth < DEEPEST {
            let mut cut = Cut { text: script.chars().collect(), ..Cut::default() };
            cut.all();
            self.variables.extend(cut.counted);
            self.read(cut.tokens, depth);
        }
    }

    fn read(&mut self, tokens: Vec<Token>, depth: usize) {
        let (mut at, mut outer) = (At::Command, Vec::new());
        let mut redirected = false;
        for token in tokens {
            match token {
                Token::Start => (at, redirected) = (At::Command, false),
                Token::Open => {
                    outer.push((at, redirected));
                    (at, redirected) = (At::Command, false);
                }
                Token::Close => (at, redirected) = outer.pop().unwrap_or((At::Argument, false)),
                Token::Redirect => redirected = true,
                Token::Word { .. } if redirected => redirected = false,
                Token::Word { word, plain } => at = self.word(&word, plain, at, depth),
            }
        }
    }

    fn word(&mut self, word: &str, plain: bool, at: At, depth: usize) -> At {
        let option = word.starts_with('-');
        match at {
            At::Argument => at,
            At::Command | At::Wrapped if is_assignment(word) => at,
            At::Wrapped if matches!(word, "-v" | "-V") => At::Programs,
            At::Wrapped if option || word.starts_with(|c: char| c.is_ascii_digit()) => at,
            At::Command | At::Wrapped => self.command(word, plain),
            At::Interpreter { shell: true } if option && !word.starts_with("--") => {
                if word.contains('c') { At::Lines } else { at }
            }
            At::Interpreter { .. } if matches!(word, "-c" | "-m" | "-e" | "--eval") => At::Argument,
            At::Interpreter { .. } if option => at,
            At::Script | At::Interpreter { .. } => {
                self.script(word, plain);
                At::Argument
            }
            At::Lines => {
                self.lines(word, depth + 1);
                At::Argument
            }
            At::Variables | At::Test { variable: true } => {
                if is_name(word) {
                    self.variables.insert(word.to_owned());
                }
                if at == At::Variables { at } else { At::Test { variable: false } }
            }
            At::Programs => {
                if plain && !option {
                    self.asked.insert(word.to_owned());
                }
                at
            }
            At::Test { .. } => At::Test { variable: word == "-v" },
        }
    }

    fn command(&mut self, word: &str, plain: bool) -> At {
        match word {
            _ if !plain => At::Argument,
            _ if KEYWORDS.contains(&word) => At::Command,
            _ if BUILTINS.contains(&word) => At::Argument,
            "." | "source" => At::Script,
            "test" | "[" | "[[" => At::Test { variable: false },
            "type" | "hash" => At::Programs,
            "exec" | "command" | "builtin" => At::Wrapped,
            word => {
                if word.contains('/') {
                    self.scripts.insert(word.to_owned());
                } else {
                    self.programs.insert(word.to_owned());
                }
                let name = word.rsplit('/').next().unwrap_or(word);
                let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
                match name {
                    _ if WRAPPERS.contains(&name) => At::Wrapped,
                    "which" => At::Programs,
                    "printenv" => At::Variables,
                    _ if SHELLS.contains(&name) => At::Interpreter { shell: true },
                    _ if INTERPRETERS.contains(&bare) => At::Interpreter { shell: false },
                    _ => At::Argument,
                }
            }
        }
    }

    fn script(&mut self, word: &str, plain: bool) {
        if plain {
            self.scripts.insert(word.to_owned());
        }
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| is_name(name.trim_end_matches('+')))
}

/// A script on its way to tokens.
#[derive(Default)]
struct Cut {
    text: Vec<char>,
    at: usize,
    tokens: Vec<Token>,
    /// The word that is being read.
    word: Word,
    /// Words around a command within them: `"a $(b) c"`.
    around: Vec<Frame>,
    /// Ends of the texts that follow behind this line.
    texts: Vec<String>,
    /// Variables that are counted with, without a `$`.
    counted: BTreeSet<String>,
}

#[derive(Default)]
struct Word {
    text: String,
    /// There is one, if only `""`.
    there: bool,
    /// It holds what only a shell can expand.
    open: bool,
    /// Within double quotes.
    quoted: bool,
}

struct Frame {
    word: Word,
    /// What is in it becomes part of the word around it.
    part: bool,
    /// It began with a backtick.
    tick: bool,
}

impl Cut {
    fn next(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn push(&mut self, c: char) {
        self.word.text.push(c);
        self.word.there = true;
    }

    fn end_word(&mut self) {
        let Word { text, there, open, quoted } = std::mem::take(&mut self.word);
        self.word.quoted = quoted;
        if there {
            self.tokens.push(Token::Word { word: text, plain: !open });
        }
    }

    fn start(&mut self) {
        self.end_word();
        self.tokens.push(Token::Start);
    }

    fn enter(&mut self, part: bool, tick: bool) {
        if !part {
            self.end_word();
        }
        self.around.push(Frame { word: std::mem::take(&mut self.word), part, tick });
        self.tokens.push(Token::Open);
    }

    fn leave(&mut self) {
        self.word.quoted = false;
        self.end_word();
        let Some(frame) = self.around.pop() else { return self.tokens.push(Token::Start) };
        self.tokens.push(Token::Close);
        self.word = frame.word;
        if frame.part {
            (self.word.there, self.word.open) = (true, true);
        }
    }

    fn all(&mut self) {
        while let Some(c) = self.next(0) {
            self.at += 1;
            self.char(c);
        }
        self.word.quoted = false;
        self.end_word();
    }

    fn char(&mut self, c: char) {
        let quoted = self.word.quoted;
        match c {
            '\\' => {
                if let Some(next) = self.next(0) {
                    self.at += 1;
                    if next != '\n' {
                        self.push(next);
                    }
                }
            }
            '"' => (self.word.quoted, self.word.there) = (!quoted, true),
            '`' => match self.around.last() {
                Some(frame) if frame.tick => self.leave(),
                _ => self.enter(true, true),
            },
            '$' if self.next(0) == Some('(') && self.next(1) == Some('(') => self.count(),
            '$' if self.next(0) == Some('(') => {
                self.at += 1;
                self.enter(true, false);
            }
            '$' => {
                self.word.open = true;
                self.push(c);
            }
            c if quoted => self.push(c),
            '\'' => {
                self.word.there = true;
                while let Some(c) = self.next(0).filter(|c| *c != '\'') {
                    self.at += 1;
                    self.push(c);
                }
                self.at += 1;
            }
            '#' if !self.word.there => {
                while self.next(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            }
            '\n' => {
                self.start();
                self.pass_texts();
            }
            ';' | '&' | '|' => self.start(),
            '(' if self.next(0) == Some('(') && !self.word.there => self.count(),
            '(' => self.enter(false, false),
            ')' => self.leave(),
            '<' | '>' => self.redirect(c),
            c if c.is_whitespace() => self.end_word(),
            c => {
                self.word.open |= matches!(c, '*' | '?' | '~');
                self.push(c);
            }
        }
    }

    /// Behind the first character of `$((` or `((`: names in it are variables.
    fn count(&mut self) {
        let mut name = String::new();
        let mut depth = 0;
        while let Some(c) = self.next(0) {
            self.at += 1;
            if c.is_ascii_alphanumeric() || c == '_' {
                name.push(c);
                continue;
            }
            let word = std::mem::take(&mut name);
            if is_name(&word) {
                self.counted.insert(word);
            }
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            if depth <= 0 {
                break;
            }
        }
        (self.word.there, self.word.open) = (true, true);
    }

    fn redirect(&mut self, c: char) {
        if self.word.text.chars().all(|c| c.is_ascii_digit()) {
            // The number of a stream.
            self.word = Word::default();
        }
        self.end_word();
        if self.next(0) == Some('(') {
            self.at += 1;
            return self.enter(false, false);
        }
        if c == '<' && self.next(0) == Some('<') && self.next(1) != Some('<') {
            self.at += 1;
            return self.text();
        }
        while self.next(0).is_some_and(|c| matches!(c, '<' | '>' | '&' | '|')) {
            self.at += 1;
        }
        self.tokens.push(Token::Redirect);
    }

    /// Behind `<<`: a text follows behind this line, up to a line of this word alone.
    fn text(&mut self) {
        let mut end = String::new();
        while let Some(c) = self.next(0) {
            match c {
                '-' | ' ' | '\t' if end.is_empty() => {}
                '\'' | '"' | '\\' => {}
                c if c.is_whitespace() || matches!(c, ';' | '|' | '&' | ')') => break,
                c => end.push(c),
            }
            self.at += 1;
        }
        self.texts.push(end);
    }

    fn pass_texts(&mut self) {
        for end in std::mem::take(&mut self.texts) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let length = rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
                let line: String = rest[..length].iter().collect();
                self.at += (length + 1).min(rest.len());
                if line.trim() == end {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
