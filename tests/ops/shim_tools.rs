//! Scripts that stand on PATH under the tools' names and write down how they were started, and shell lines run among them by a recipe.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::space::{Ran, Space};

/// Writes its name and arguments down, shows its client configs and stdin, and ends as it is told.
const TOOL: &str = r#"#!/bin/sh
{ printf '%s' "${0##*/}"; for arg; do printf ' [%s]' "$arg"; done; echo; } >> LOG
echo "KUBECONFIG=$KUBECONFIG TALOSCONFIG=$TALOSCONFIG"
cat
exit ${FAKE_EXIT:-0}
"#;

/// A repository with the cluster `home` whose PATH begins with `fakes/`.
pub(crate) struct Tools {
    pub(crate) space: Space,
}

impl Tools {
    /// talosctl, kubectl and helm; the other tools are nowhere.
    pub(crate) fn new() -> Tools {
        let mut space = Space::example("home");
        let log = space.path("log").display().to_string();
        for tool in ["talosctl", "kubectl", "helm"] {
            let path = format!("fakes/{tool}");
            space.write(&path, &TOOL.replace("LOG", &log));
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(space.path(&path), mode).expect("a script may be started");
        }
        let path = format!("{}:/usr/bin:/bin", space.path("fakes").display());
        space.env("PATH", &path);
        Tools { space }
    }

    /// Runs `ops WORDS probe`, where the recipe `probe` is this Lua body.
    pub(crate) fn body(&self, words: &[&str], body: &str) -> Ran {
        let _ = fs::remove_file(self.space.path("log"));
        let recipe =
            format!("return ops.recipe {{ desc = \"Probe\", run = function() {body} end }}");
        self.space.write("recipes/probe.lua", &recipe);
        self.space.run(words.iter().copied().chain(["probe"]))
    }

    /// Runs shell lines, and shows with which code they end.
    pub(crate) fn shell(&self, words: &[&str], lines: &str) -> Ran {
        let lines = format!("set +e\n(\n{lines}\n)\necho \"exit=$?\"");
        self.body(words, &format!("sh {{ [==[{lines}]==], cwd = \".\" }}"))
    }

    /// How the tools were started, in order.
    pub(crate) fn started(&self) -> Vec<String> {
        let log = fs::read_to_string(self.space.path("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}
