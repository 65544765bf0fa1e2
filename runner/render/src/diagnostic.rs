//! What goes wrong with a file somebody wrote: always with its place in that
//! file. It knows nothing of YAML or Talos.

use std::fmt;

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Line, from 1; 0 where a whole file is meant.
    pub line: usize,
    /// Column, from 1; 0 where a whole line or file is meant.
    pub column: usize,
}

/// A stable name for one kind of finding, for example `OPS0905`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(pub &'static str);

impl Code {
    /// The file is not YAML that can be read: broken, not UTF-8, too large or too deep.
    pub const UNREADABLE: Code = Code("OPS0901");
    /// A key that the document's type does not have.
    pub const UNKNOWN_KEY: Code = Code("OPS0902");
    /// A document whose kind the machinery does not know.
    pub const UNKNOWN_KIND: Code = Code("OPS0903");
    /// A value that cannot be read as the type its field has.
    pub const WRONG_TYPE: Code = Code("OPS0904");
    /// The same key or the same document twice.
    pub const DUPLICATE: Code = Code("OPS0905");
    /// Documents that may not stand together.
    pub const CONFLICT: Code = Code("OPS0906");
    /// Two values that cannot be merged.
    pub const MERGE: Code = Code("OPS0907");
    /// A `$patch: delete` that names nothing or stands in the wrong place.
    pub const DELETE: Code = Code("OPS0908");
    /// An RFC 6902 operation that does not apply.
    pub const JSON_PATCH: Code = Code("OPS0909");
    /// A patch file that could not be read, or a text that is no patch.
    pub const NO_PATCH: Code = Code("OPS0910");
    /// An edit whose place is not in the file, or cannot be edited.
    pub const NO_PLACE: Code = Code("OPS0912");
    /// A setting that a talconfig lacks, or that cannot be meant.
    pub const TALCONFIG: Code = Code("OPS0913");
    /// A warning: the merge drops a value that the patch does not mention.
    pub const LOST_VALUE: Code = Code("OPS0911");
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One finding in a file, an error or a warning depending on where it is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// What happened and what was expected, one sentence in lower case.
    pub message: String,
    /// The name the source was given by the caller.
    pub file: String,
    /// Line from 1, 0 for the whole file.
    pub line: usize,
    /// Column from 1, 0 for the whole line.
    pub column: usize,
    /// What to do next, where there is something to say.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, file: &str, at: Mark, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            message: message.into(),
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        write!(f, ": {} [{}]", self.message, self.code)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}
