//! A lab with its files: what every test needs to run tools in it.

use ops_lab::{Lab, LabSpec, Ms, ToolCall, ToolOutput};
use std::collections::BTreeMap;

/// A lab and the files that its tools read and write.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// What a tool said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<ToolOutput> for Said {
    fn from(output: ToolOutput) -> Self {
        Self {
            code: output.code,
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Bench {
    /// A healthy lab with its client files.
    pub(crate) fn healthy(spec: LabSpec) -> Self {
        Self::around(Lab::healthy(spec))
    }

    /// A bare lab with the client files of its own secrets.
    pub(crate) fn bare(spec: LabSpec) -> Self {
        Self::around(Lab::bare(spec))
    }

    fn around(mut lab: Lab) -> Self {
        let client = lab.client_files();
        let files = BTreeMap::from([
            ("secrets.yaml".to_owned(), client.secrets.into_bytes()),
            ("talosconfig".to_owned(), client.talosconfig.into_bytes()),
            ("kubeconfig".to_owned(), client.kubeconfig.into_bytes()),
        ]);
        Self { lab, files }
    }

    pub(crate) fn start(&mut self, line: &str) -> ops_lab::ClientId {
        let mut words = line.split_whitespace().map(|word| word.trim_matches('\'').to_owned());
        let tool = words.next().unwrap();
        let args = words.collect();
        self.lab.start(ToolCall { tool, args, ..ToolCall::default() }, &self.files)
    }

    /// Runs a command line to its end; files it writes are there for the next.
    pub(crate) fn run(&mut self, line: &str) -> Said {
        let client = self.start(line);
        while self.lab.is_running(client) {
            assert!(self.lab.step(), "nothing left to happen, and `{line}` still runs");
        }
        let (_, output) =
            self.lab.take_finished().into_iter().find(|(id, _)| *id == client).unwrap();
        for write in &output.writes {
            self.files.insert(write.path.clone(), write.bytes.clone());
        }
        output.into()
    }

    /// talosctl on one node, by its name.
    pub(crate) fn talosctl(&mut self, node: &str, line: &str) -> Said {
        let address = self.address(node);
        self.run(&format!("talosctl --talosconfig talosconfig -n {address} -e {address} {line}"))
    }

    pub(crate) fn kubectl(&mut self, line: &str) -> Said {
        self.run(&format!("kubectl --kubeconfig kubeconfig --context admin@home {line}"))
    }

    pub(crate) fn address(&self, node: &str) -> String {
        self.lab.spec().nodes.iter().find(|spec| spec.name == node).unwrap().address.clone()
    }

    pub(crate) fn advance(&mut self, ms: Ms) {
        let at = self.lab.now() + ms;
        self.lab.advance_to(at);
    }
}
