//! A command line as a list. Nothing is quoted, because nothing is a string.

use serde::{Deserialize, Serialize};

/// One process to start: tool, arguments, what it reads on stdin, its environment beside the scrubbed one.
///
/// Arguments never hold secrets: those go by stdin, environment or a private file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argv {
    /// The program's name, looked up once per run on PATH.
    pub tool: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Bytes for stdin; nothing (`/dev/null`) where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Vec<u8>>,
    /// Variables beside the scrubbed environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// Working directory; the repository's root where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// It is declared to change nothing: where the kernel can, it is kept from writing files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_reads: bool,
}

impl Argv {
    /// The command `tool` without arguments.
    pub fn new(tool: impl Into<String>) -> Argv {
        Argv { tool: tool.into(), ..Argv::default() }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Argv {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Argv {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds `--flag=value` as one argument, so that a value that starts with `-` cannot become a flag.
    #[must_use]
    pub fn pair(self, flag: &str, value: impl AsRef<str>) -> Argv {
        let arg = format!("{flag}={}", value.as_ref());
        self.arg(arg)
    }

    /// Adds `--flag` when `on`.
    #[must_use]
    pub fn flag(self, flag: &str, on: bool) -> Argv {
        if on { self.arg(flag) } else { self }
    }

    /// Gives the process bytes on stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Argv {
        self.stdin = Some(bytes);
        self
    }

    /// The command as one line for people; arguments with spaces are quoted.
    pub fn shown(&self) -> String {
        let mut line = self.tool.clone();
        for arg in &self.args {
            line.push(' ');
            if arg.is_empty() || arg.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            {
                line.push_str(&format!("{arg:?}"));
            } else {
                line.push_str(arg);
            }
        }
        line
    }
}

/// What a tool gave back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// Exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// All of its stderr.
    pub stderr: Vec<u8>,
}

impl ToolOutput {
    /// Whether it ended with 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// Its stdout as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its stderr as text without trailing white space.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end().to_owned()
    }
}
