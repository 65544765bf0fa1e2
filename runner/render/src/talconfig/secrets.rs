//! The secrets bundle of a cluster: read, checked, never made. A bundle that
//! is missing or incomplete is an error, because a new one would be another
//! cluster.

use std::fmt;
use std::rc::Rc;

use super::{Talconfig, Variables, check, substitute};
use crate::diagnostic::{Code, Diagnostic, Mark};
use crate::machinery::codec::decode_base64;
use crate::machinery::strict::nearest;
use crate::yaml::node::{Data, Node};
use crate::yaml::read::{Source, read};

/// The names that talhelper looks for beside a talconfig; the last one that
/// exists counts.
pub const SECRET_FILES: [&str; 4] =
    ["talsecret.yaml", "talsecret.sops.yaml", "talsecret.yml", "talsecret.sops.yml"];

/// What must be in a bundle: its path, and whether it is base64.
const NEEDED: &[(&[&str], bool)] = &[
    (&["cluster", "id"], false),
    (&["cluster", "secret"], false),
    (&["secrets", "bootstraptoken"], false),
    (&["trustdinfo", "token"], false),
    (&["certs", "etcd", "crt"], true),
    (&["certs", "etcd", "key"], true),
    (&["certs", "k8s", "crt"], true),
    (&["certs", "k8s", "key"], true),
    (&["certs", "k8saggregator", "crt"], true),
    (&["certs", "k8saggregator", "key"], true),
    (&["certs", "k8sserviceaccount", "key"], true),
    (&["certs", "os", "crt"], true),
    (&["certs", "os", "key"], true),
];

/// What else may be in it.
const OPTIONAL: &[&[&str]] =
    &[&["secrets", "aescbcencryptionsecret"], &["secrets", "secretboxencryptionsecret"]];

/// A complete secrets bundle.
#[derive(Clone)]
pub struct Secrets {
    text: String,
    aes_cbc: Option<String>,
}

impl Secrets {
    /// Reads a bundle as `talosctl gen secrets` and `talhelper gensecret` write
    /// it, decrypted by the caller. Variables in it are replaced.
    ///
    /// # Errors
    /// What is missing, unknown or still encrypted, with its place.
    pub fn read(source: Source<'_>, variables: &Variables) -> Result<Secrets, Vec<Diagnostic>> {
        let documents = read(source).map_err(|problem| vec![problem])?;
        let refused = |mark, message: &str| vec![check::problem(source.name, mark, message)];
        let [root] = &documents[..] else {
            let message = "a secrets bundle is one YAML document";
            return Err(refused(Mark::default(), message));
        };
        if let Some(node) = root.get("sops") {
            let message = "the secrets bundle is still encrypted: what reads it must decrypt it";
            return Err(refused(node.mark, message));
        }
        let root = substitute::substitute(root, source.name, variables)?;
        let mut problems = Vec::new();
        unknown(source.name, &root, &mut Vec::new(), &mut problems);
        for (path, encoded) in NEEDED {
            let spelt = path.join(".");
            let found = at(&root, path).map(|node| (node.mark, node.text().to_owned()));
            let (mark, text) = found.unwrap_or((root.mark, String::new()));
            if text.is_empty() {
                let problem = check::problem(source.name, mark, format!("`{spelt}` is missing"));
                problems.push(
                    problem.hint("an incomplete bundle is another cluster; find the whole one"),
                );
            } else if *encoded && decode_base64(&text).is_none() {
                let message = format!("`{spelt}` is not base64");
                problems.push(check::problem(source.name, mark, message));
            }
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            return Err(problems);
        }
        let aes_cbc = at(&root, OPTIONAL[0]).map(|node| node.text().to_owned());
        Ok(Secrets { text: written(&root), aes_cbc: aes_cbc.filter(|text| !text.is_empty()) })
    }

    /// That there is no bundle, as a finding about the talconfig. Talhelper
    /// goes on with a new identity instead.
    pub fn missing(talconfig: &str, looked_for: &[&str]) -> Diagnostic {
        let message = format!("there is no secrets bundle: looked for {}", looked_for.join(", "));
        check::problem(talconfig, Mark::default(), message).hint(
            "bring the bundle of this cluster; for a new cluster make one with `talosctl gen secrets`",
        )
    }

    /// The bundle for `talosctl gen config --with-secrets`: variables replaced,
    /// comments gone. It is secret.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Nothing of it is shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Talconfig {
    /// Tells the talconfig which secrets its bases are made with. Bundles from
    /// before Talos 1.3 hold a second encryption secret that bases leave out
    /// and nodes still need.
    pub fn use_secrets(&mut self, secrets: &Secrets) {
        self.aes_cbc.clone_from(&secrets.aes_cbc);
    }
}

fn at<'n>(root: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter()
        .try_fold(root, |node, key| node.resolved().get(key).map(AsRef::as_ref))
        .map(Node::resolved)
}

/// Finds keys that no bundle has.
fn unknown<'n>(
    file: &str,
    node: &'n Node,
    path: &mut Vec<&'n str>,
    problems: &mut Vec<Diagnostic>,
) {
    let paths = || NEEDED.iter().map(|(path, _)| *path).chain(OPTIONAL.iter().copied());
    let below: Vec<&str> = paths()
        .filter(|known| known.len() > path.len() && known[..path.len()] == path[..])
        .map(|known| known[path.len()])
        .collect();
    for (key, value) in node.resolved().pairs() {
        let name = key.text();
        if below.contains(&name) {
            path.push(name);
            unknown(file, value, path, problems);
            path.pop();
            continue;
        }
        let message = format!("a secrets bundle has no `{name}` here");
        let mut problem = Diagnostic::new(Code::UNKNOWN_KEY, file, key.mark, message);
        if let Some(near) = nearest(name, &below) {
            problem = problem.hint(format!("did you mean `{near}`?"));
        }
        problems.push(problem);
    }
}

fn written(root: &Rc<Node>) -> String {
    use crate::yaml::emit::{Out, emit};
    fn out(node: &Node) -> Out<'_> {
        match &node.resolved().data {
            Data::Mapping(pairs) => {
                Out::Map(pairs.iter().map(|(key, value)| (out(key), out(value))).collect())
            }
            _ => Out::Text(node.resolved().text().into()),
        }
    }
    emit(&out(root), crate::yaml::scalar::Dialect::V4, false)
}
