//! A lab with its files: what every test needs to run tools in it.

use ops_lab::{Fault, Lab, LabSpec, Ms, ToolCall, ToolOutput};
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
        self.lab.start(&ToolCall { tool, args, ..ToolCall::default() }, &self.files)
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

    /// Lets time pass until this holds, for at most three simulated hours.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Bench) -> bool) {
        let limit = self.lab.now() + 3 * 3_600_000;
        while !holds(self) {
            let more = self.lab.step();
            assert!(
                more && self.lab.now() < limit,
                "never {what}:\n{}",
                self.lab.draw(None, false)
            );
        }
    }

    /// Until no machine is between two stages and every running one is ready.
    pub(crate) fn settle(&mut self) {
        self.until("settled", |bench| {
            let state = bench.lab.state();
            state.nodes.iter().all(|node| {
                matches!(node.stage.as_str(), "off" | "maintenance" | "needs hands")
                    || (node.stage == "running" && node.ready)
            })
        });
    }

    fn node(&self, name: &str) -> ops_lab::state::NodeState {
        self.lab.state().nodes.into_iter().find(|node| node.name == name).unwrap()
    }

    pub(crate) fn stage(&self, name: &str) -> String {
        self.node(name).stage
    }

    pub(crate) fn config(&self, name: &str) -> &'static str {
        self.node(name).config
    }

    pub(crate) fn etcd(&self, name: &str) -> &'static str {
        self.node(name).etcd
    }

    pub(crate) fn kubernetes(&self, name: &str) -> &'static str {
        self.node(name).kubernetes
    }

    /// Voters alive, voters, learners of the first cluster.
    pub(crate) fn voters(&self) -> (usize, usize, usize) {
        let etcd = &self.lab.state().etcd[0];
        (etcd.alive, etcd.voters, etcd.learners)
    }

    pub(crate) fn losses(&self) -> Vec<String> {
        self.lab.state().losses.into_iter().map(|loss| loss.what).collect()
    }

    pub(crate) fn writes(&self) -> usize {
        self.lab.requests().iter().filter(|request| request.writes).count()
    }

    pub(crate) fn break_(&mut self, name: &str, node: Option<&str>) {
        self.lab.break_(&Fault::parse(name, node).unwrap()).unwrap();
    }

    pub(crate) fn heal(&mut self, name: &str, node: Option<&str>) {
        self.lab.heal(&Fault::parse(name, node).unwrap()).unwrap();
    }

    pub(crate) fn power_on(&mut self, name: &str) {
        let node = self.lab.node_named(name).unwrap();
        self.lab.power_on(node);
    }

    /// The config that a healthy lab would give this node, as a file of that name.
    pub(crate) fn config_file(&mut self, file: &str, of: &str, change: impl Fn(String) -> String) {
        let node = self.lab.node_named(of).unwrap();
        let text = change(self.lab.node_config(node));
        self.files.insert(file.to_owned(), text.into_bytes());
    }

    /// The id of a node's etcd member, as `etcd members` prints it.
    pub(crate) fn member(&mut self, asked: &str, of: &str) -> String {
        let said = self.talosctl(asked, "etcd members");
        let line = said.out.lines().find(|line| line.split_whitespace().nth(2) == Some(of));
        line.unwrap_or_else(|| panic!("no member {of}: {said:?}"))
            .split_whitespace()
            .nth(1)
            .unwrap()
            .to_owned()
    }
}
