//! A repository in a temporary folder, and the real binary run in it with an environment of its own. Knows nothing of what is tested.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with a repository in it (`repo`), a home folder and XDG folders of its own; gone when dropped.
///
/// ```ignore
/// let space = Space::new();
/// space.write("recipes/hello.lua", "return ops.recipe { … }");
/// space.run(["run", "hello"]).exit(0).stdout_has("done   hello");
/// ```
pub(crate) struct Space {
    dir: TempDir,
    env: Vec<(String, String)>,
    cwd: PathBuf,
}

impl Space {
    /// An empty repository.
    pub(crate) fn new() -> Space {
        let dir = TempDir::new().expect("a temporary folder");
        for name in ["repo", "home", "state", "cache", "config", "tmp"] {
            fs::create_dir(dir.path().join(name)).expect("a folder in it");
        }
        let cwd = dir.path().join("repo");
        Space { dir, env: Vec::new(), cwd }
    }

    /// A copy of a repository of `examples/`.
    pub(crate) fn example(name: &str) -> Space {
        let space = Space::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        copy(&from, &space.root());
        space
    }

    /// The repository's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// A path below the repository's root.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// The folder that `XDG_STATE_HOME` names.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Writes a file of the repository, with its folders.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Space {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("folders");
        fs::write(&path, text).expect("a file");
        self
    }

    /// The text of a file of the repository.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Sets a variable for every later run.
    pub(crate) fn env(&mut self, name: &str, value: &str) -> &mut Space {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets where later runs stand, relative to the root.
    pub(crate) fn stand_in(&mut self, path: &str) -> &mut Space {
        self.cwd = self.path(path);
        self
    }

    /// The binary with arguments: a clean environment, no terminal, nothing on stdin.
    pub(crate) fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the test harness starts the binary")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
        command
            .args(args)
            .current_dir(&self.cwd)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path().join("home"))
            .env("XDG_STATE_HOME", self.state())
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env("USER", "tester")
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    #[must_use = "say what was expected of it"]
    pub(crate) fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        let args: Vec<&str> = args.into_iter().collect();
        let output = self.command(args.iter().copied()).output().expect("the binary runs");
        Ran { line: args.join(" "), output, root: self.dir.path().to_path_buf() }
    }
}

/// How a run of the binary ended.
pub(crate) struct Ran {
    line: String,
    output: Output,
    root: PathBuf,
}

impl Ran {
    /// The exit code; -1 where a signal ended it.
    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// Its standard output, with the temporary folder shown as `[SPACE]`.
    pub(crate) fn stdout(&self) -> String {
        self.shown(&self.output.stdout)
    }

    /// Its standard error, with the temporary folder shown as `[SPACE]`.
    pub(crate) fn stderr(&self) -> String {
        self.shown(&self.output.stderr)
    }

    /// Everything a snapshot needs.
    pub(crate) fn all(&self) -> String {
        let mut out = format!("exit {}\n", self.code());
        for (name, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
            if !text.is_empty() {
                let _ = write!(out, "--- {name}\n{text}");
            }
        }
        out
    }

    /// Expects an exit code.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Ran {
        assert_eq!(self.code(), code, "`ops {}`\n{}", self.line, self.all());
        self
    }

    /// Expects a text on standard output.
    #[track_caller]
    pub(crate) fn stdout_has(self, text: &str) -> Ran {
        assert!(self.stdout().contains(text), "no `{text}`: `ops {}`\n{}", self.line, self.all());
        self
    }

    /// Expects a text on standard error.
    #[track_caller]
    pub(crate) fn stderr_has(self, text: &str) -> Ran {
        assert!(self.stderr().contains(text), "no `{text}`: `ops {}`\n{}", self.line, self.all());
        self
    }

    fn shown(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&self.root.display().to_string(), "[SPACE]")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let entries = fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    for entry in entries {
        let entry = entry.expect("an entry");
        // What an earlier run by hand left behind is no part of an example.
        if entry.file_name() == ".ops" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copied file");
        }
    }
}
