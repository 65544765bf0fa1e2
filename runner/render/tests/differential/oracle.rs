//! Talks to the patch oracle, which is Talos' own Go code: one process, one
//! JSON line per question. Built by `tests/tools/build`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub(crate) struct Question<'q> {
    pub(crate) config: &'q str,
    pub(crate) patches: &'q [String],
}

#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) output: String,
    #[serde(default)]
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) panicked: bool,
}

pub(crate) struct Oracle {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start(program: &Path) -> Oracle {
        let mut process = Command::new(program)
            .arg("batch")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let questions = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Oracle { process, questions, answers }
    }

    pub(crate) fn ask(&mut self, config: &str, patches: &[String]) -> Answer {
        let mut line = serde_json::to_string(&Question { config, patches }).unwrap();
        line.push('\n');
        let questions = self.questions.as_mut().unwrap();
        questions.write_all(line.as_bytes()).unwrap();
        questions.flush().unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}
