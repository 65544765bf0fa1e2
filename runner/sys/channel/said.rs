//! The words of the channel and a shim's end of it. Blocking: a shim does one thing.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ops_core::error::{Code, Fault};
use serde::{Deserialize, Serialize};

use super::Place;
use crate::sys::redact::Redactor;

/// What a shim says: its command line, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The tool under whose name it stands.
    pub tool: String,
    /// Its arguments; those that are not text as well as they can be shown.
    pub args: Vec<String>,
    /// What it says of them.
    pub says: Says,
}

/// What a shim says of a command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It refuses.
    Refused(Refused),
    /// It only reads, and asks the lab.
    Ask(Ask),
}

/// A refusal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Number of its code.
    pub code: u16,
    /// What happened.
    pub title: String,
    /// Further lines.
    pub details: Vec<String>,
    /// Hints.
    pub help: Vec<String>,
}

/// What a tool in the lab would find around it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Its working directory.
    pub cwd: String,
    /// Variables that choose its target.
    pub env: BTreeMap<String, String>,
    /// What it would read from stdin, where it names it.
    pub stdin: Option<String>,
    /// Client configs that stand nowhere on disk, by path.
    pub files: BTreeMap<String, String>,
}

impl Message {
    /// What somebody said who is no shim, or who was cut off.
    pub(super) fn garbled() -> Message {
        let title = "something on the shims' channel was cut off".to_owned();
        let refused = Refused { code: Code::SHIM.number, title, ..Refused::default() };
        Message { tool: String::new(), args: Vec::new(), says: Says::Refused(refused) }
    }

    /// Without the secrets that are known.
    pub(super) fn masked(mut self, redactor: &Redactor) -> Message {
        let mut texts: Vec<&mut String> = self.args.iter_mut().collect();
        match &mut self.says {
            Says::Refused(refused) => {
                texts.push(&mut refused.title);
                texts.extend(&mut refused.details);
                texts.extend(&mut refused.help);
            }
            // What the lab is asked must be what was meant; it is shown nowhere.
            Says::Ask(_) => return self,
        }
        for text in texts {
            *text = redactor.mask(text);
        }
        self
    }

    /// The command line as one would type it, without the values of flags that hold credentials.
    pub fn line(&self) -> String {
        const HIDDEN: [&str; 6] = [
            "--token",
            "--password",
            "--kube-token",
            "--auth-token",
            "--registry-password",
            "--username",
        ];
        let mut words = vec![self.tool.clone()];
        let mut hide = false;
        for arg in &self.args {
            let flag = arg.split_once('=').filter(|(flag, _)| HIDDEN.contains(flag));
            words.push(match flag {
                _ if std::mem::take(&mut hide) => "…".to_owned(),
                Some((flag, _)) => format!("{flag}=…"),
                None => quoted(arg),
            });
            hide = HIDDEN.contains(&arg.as_str());
        }
        words.join(" ")
    }

    /// A refusal as the stop of a call. Whatever was said, it is a refusal of a shim.
    pub fn fault(&self) -> Option<Fault> {
        let Says::Refused(refused) = &self.says else { return None };
        let partitions = refused.code == Code::GUARD_PARTITIONS.number;
        let code = if partitions { Code::GUARD_PARTITIONS } else { Code::SHIM };
        let mut fault = Fault::new(code, refused.title.clone());
        if !self.tool.is_empty() {
            fault =
                fault.detail(format!("the shim of `{}` stands before: {}", self.tool, self.line()));
        }
        fault.details.extend(refused.details.iter().cloned());
        fault.help.extend(refused.help.iter().cloned());
        Some(fault)
    }
}

impl Refused {
    /// A fault's words.
    pub fn of(fault: &Fault) -> Refused {
        Refused {
            code: fault.code.number,
            title: fault.title.clone(),
            details: fault.details.clone(),
            help: fault.help.clone(),
        }
    }
}

/// A word as a shell would take it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What a tool of the lab printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Its exit code.
    pub code: u8,
    /// Bytes for stdout.
    pub stdout: Vec<u8>,
    /// Bytes for stderr.
    pub stderr: Vec<u8>,
}

impl Printed {
    /// Exit code, length of stdout as eight bytes, then both.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.code];
        bytes.extend((self.stdout.len() as u64).to_be_bytes());
        bytes.extend(&self.stdout);
        bytes.extend(&self.stderr);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Printed> {
        let (code, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (stdout, stderr) = rest.split_at_checked(length)?;
        Some(Printed { code: *code, stdout: stdout.to_vec(), stderr: stderr.to_vec() })
    }
}

/// Tells the engine of a refusal, and returns when the engine lets go: the line that this shim stands in is over, or the engine is gone.
///
/// # Errors
/// Where the engine is not reached.
pub fn refuse(folder: &Path, message: &Message) -> io::Result<()> {
    say(folder, message).map(drop)
}

/// Asks the engine for what the lab's tool prints; none where the engine gives no answer.
///
/// # Errors
/// Where the engine is not reached.
pub fn ask(folder: &Path, message: &Message) -> io::Result<Option<Printed>> {
    Ok(Printed::decode(&say(folder, message)?))
}

/// Everything that comes back until the engine closes the talk.
fn say(folder: &Path, message: &Message) -> io::Result<Vec<u8>> {
    let place = Place::of(folder)?;
    let mut stream = UnixStream::connect(&place.socket)?;
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    stream.write_all(&bytes)?;
    let mut heard = Vec::new();
    // An engine that dies has the talk closed, too: that it refuses stands anyway.
    let _ = stream.read_to_end(&mut heard);
    Ok(heard)
}
