//! The table of calls: one macro line per call type gives decoding, names, versions and schemas. Add a call here and nowhere else.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{CallInfo, CallSpec, Common, Invalid, Request};
use crate::effect::Effect;
use crate::value::{Map, Value};

macro_rules! calls {
    ($($variant:ident($ty:ty) = $name:literal, $version:literal, $subject:expr, $effect:ident, $summary:literal;)*) => {
        /// A validated call.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each variant is documented at its type")]
        pub enum Call { $($variant($ty),)* }

        impl Call {
            /// Everything that is said about the call.
            pub fn spec(&self) -> &dyn CallSpec {
                match self { $(Call::$variant(call) => call,)* }
            }

            /// What is known of its type.
            pub fn info(&self) -> &'static CallInfo {
                match self { $(Call::$variant(_) => &const { CallInfo {
                    name: $name, version: $version, subject: $subject, effect: Effect::$effect, summary: $summary,
                    schema: || schemars::schema_for!($ty),
                } },)* }
            }

            /// Validates a request.
            ///
            /// # Errors
            /// The first unknown, missing or wrong field.
            pub fn decode(request: &Request) -> Result<(Call, Common), Invalid> {
                match request.call.as_str() {
                    $($name => { let (call, common) = decode::<$ty>(&request.args)?; Ok((Call::$variant(call), common)) })*
                    other => Err(Invalid {
                        field: None,
                        message: format!("there is no host call `{other}`"),
                        known: INFOS.iter().map(|i| i.name.to_owned()).collect(),
                    }),
                }
            }
        }

        /// Every call type, in the order of the documentation.
        pub const INFOS: &[CallInfo] = &[$(CallInfo {
            name: $name, version: $version, subject: $subject, effect: Effect::$effect, summary: $summary,
            schema: || schemars::schema_for!($ty),
        },)*];
    };
}

/// What is known of the call type `name`.
pub fn info(name: &str) -> Option<&'static CallInfo> {
    INFOS.iter().find(|i| i.name == name)
}

const COMMON: [&str; 3] = ["cluster", "timeout", "about"];

fn decode<T: DeserializeOwned + schemars::JsonSchema>(
    args: &Map<String, Value>,
) -> Result<(T, Common), Invalid> {
    let (mut own, mut common) = (Map::new(), Map::new());
    for (key, value) in args {
        let side = if COMMON.contains(&key.as_str()) { &mut common } else { &mut own };
        side.insert(key.clone(), value.clone());
    }
    // The schema is built on the error path only: it costs more than the call's whole way through the gate.
    let call = T::deserialize(Value::Object(own.clone()))
        .map_err(|error| explain(&schemars::schema_for!(T), &own, &error))?;
    let common = Common::deserialize(Value::Object(common.clone()))
        .map_err(|error| explain(&schemars::schema_for!(Common), &common, &error))?;
    Ok((call, common))
}

/// Finds the field that a failed decoding is about.
fn explain(
    schema: &schemars::Schema,
    args: &Map<String, Value>,
    error: &serde_json::Error,
) -> Invalid {
    let known = fields(schema);
    if let Some(key) = args.keys().find(|key| !known.contains(key)) {
        let known = known.into_iter().chain(COMMON.map(str::to_owned)).collect();
        return Invalid {
            field: Some(key.clone()),
            message: format!("unknown field `{key}`"),
            known,
        };
    }
    if let Some(key) = required(schema).into_iter().find(|key| !args.contains_key(key)) {
        return Invalid { field: None, message: format!("the field `{key}` is missing"), known };
    }
    let text = error.to_string();
    let field = args
        .iter()
        .find(|(_, value)| match value {
            Value::String(s) => {
                text.contains(&format!("{s:?}")) || text.contains(&format!("`{s}`"))
            }
            Value::Null => text.contains("null"),
            other => text.contains(&other.to_string()),
        })
        .map(|(key, _)| key.clone());
    Invalid { field, message: text, known: Vec::new() }
}

fn fields(schema: &schemars::Schema) -> Vec<String> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|p| p.keys().cloned().collect())
        .unwrap_or_default()
}

fn required(schema: &schemars::Schema) -> Vec<String> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .map(|r| r.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        .unwrap_or_default()
}

calls! {
    TimeNow(super::time::Now) = "time.now", 1, None, Reads, "The time";
    TalosVersion(super::talos::Version) = "talos.version", 1, Some("node"), Reads, "Version of Talos on a node";
    TalosGet(super::talos::Get) = "talos.get", 1, Some("node"), Reads, "Resources of a node";
    TalosStage(super::talos::Stage) = "talos.stage", 1, Some("node"), Reads, "How far a node has come; proves maintenance mode";
    TalosHealth(super::talos::Health) = "talos.health", 1, None, Reads, "Health of the cluster as a control plane checks it";
    TalosValidate(super::talos::Validate) = "talos.validate", 1, None, Reads, "Validate a machine config";
    TalosRender(super::talos::Render) = "talos.render", 1, Some("node"), Reads, "Machine config of a node";
    TalosMachineconfigPatch(super::talos::MachineconfigPatch) = "talos.machineconfig.patch", 1, Some("file"), Reads, "A machine config with patches merged into it";
    TalosMachineconfigDiff(super::talos::MachineconfigDiff) = "talos.machineconfig.diff", 1, Some("file"), Reads, "How a machine config differs from the node's";
    TalosGenSecrets(super::talos::GenSecrets) = "talos.gen.secrets", 1, Some("output"), Files, "Secrets bundle of a new cluster";
    TalosClientConfig(super::talos::ClientConfig) = "talos.client_config", 1, Some("path"), Files, "The talosconfig, renewed in time";
    TalosKubeconfig(super::talos::Kubeconfig) = "talos.kubeconfig", 1, Some("path"), Files, "The repository's kubeconfig";
    TalosEtcdMembers(super::talos::EtcdMembers) = "talos.etcd.members", 1, None, Reads, "Members of etcd";
    TalosEtcdStatus(super::talos::EtcdStatus) = "talos.etcd.status", 1, None, Reads, "State of each control plane's etcd member";
    TalosEtcdSnapshot(super::talos::EtcdSnapshot) = "talos.etcd.snapshot", 1, Some("path"), Files, "Snapshot of etcd, verified";
    TalosApplyConfig(super::talos::ApplyConfig) = "talos.apply_config", 1, Some("node"), Mutates, "Give a node its machine config";
    TalosBootstrap(super::talos::Bootstrap) = "talos.bootstrap", 1, Some("node"), Mutates, "Start the first member of etcd";
    TalosReboot(super::talos::Reboot) = "talos.reboot", 1, Some("node"), Mutates, "Reboot a node";
    TalosReset(super::talos::Reset) = "talos.reset", 1, Some("node"), Destroys, "Wipe named partitions of a node";
    KubeGet(super::kube::Get) = "kube.get", 1, None, Reads, "One Kubernetes object";
    KubeList(super::kube::List) = "kube.list", 1, None, Reads, "Kubernetes objects of a kind";
    KubeCordon(super::kube::Cordon) = "kube.cordon", 1, Some("node"), Mutates, "No new pods on a node";
    KubeUncordon(super::kube::Uncordon) = "kube.uncordon", 1, Some("node"), Mutates, "New pods on a node again";
    KubeDrain(super::kube::Drain) = "kube.drain", 1, Some("node"), Mutates, "Cordon a node and evict its pods";
    KubeKustomize(super::manifests::Kustomize) = "kube.kustomize", 1, Some("path"), Reads, "What a kustomization of the repository builds";
    KubeObjects(super::manifests::Objects) = "kube.objects", 1, Some("content"), Reads, "The objects of a text of manifests";
    KubeDiff(super::manifests::Diff) = "kube.diff", 1, Some("content"), Reads, "Where the objects of two texts differ";
    WaitNode(super::wait::Node) = "wait.node", 1, Some("node"), Reads, "Wait for a node to come so far";
    WaitEtcd(super::wait::Etcd) = "wait.etcd", 1, None, Reads, "Wait for etcd to be healthy";
    SafetyEvidence(super::safety::Evidence) = "safety.evidence", 1, Some("recipe"), Reads, "Evidence for a recipe's destroying calls";
    SafetyCurrent(super::safety::Current) = "safety.current", 1, None, Reads, "Grants that are valid now";
    SafetyIssue(super::safety::Issue) = "safety.issue", 1, Some("report"), Files, "A grant for what a report proves";
    FsRead(super::fs::Read) = "fs.read", 1, Some("path"), Reads, "Content of a file";
    FsExists(super::fs::Exists) = "fs.exists", 1, Some("path"), Reads, "Whether something is there";
    FsStat(super::fs::Stat) = "fs.stat", 1, Some("path"), Reads, "Size, permissions and time of a file";
    FsGlob(super::fs::Glob) = "fs.glob", 1, Some("pattern"), Reads, "Files that match a pattern, sorted";
    FsWrite(super::fs::Write) = "fs.write", 1, Some("path"), Files, "Make a file have this content";
    FsCopy(super::fs::Copy) = "fs.copy", 1, Some("path"), Files, "Copy a file";
    FsMove(super::fs::Move) = "fs.move", 1, Some("path"), Files, "Give a file another name";
    FsMkdir(super::fs::Mkdir) = "fs.mkdir", 1, Some("path"), Files, "Make a folder";
    FsRemove(super::fs::Remove) = "fs.remove", 1, Some("path"), Files, "Remove a file, or a folder that Git knows";
    FsTemp(super::fs::Temp) = "fs.temp", 1, None, Files, "A path for a file of this run";
    GitStatus(super::git::Status) = "git.status", 1, None, Reads, "Branch, and files that differ from the last commit";
    GitLog(super::git::Log) = "git.log", 1, None, Reads, "Commits, newest first";
    GitDiff(super::git::Diff) = "git.diff", 1, None, Reads, "A patch from a revision to the files as they are";
    GitShow(super::git::Show) = "git.show", 1, Some("path"), Reads, "A file as it was in a revision";
    GitChanged(super::git::Changed) = "git.changed", 1, Some("since"), Reads, "Files that differ from a revision";
    Sh(super::sh::Sh) = "sh", 1, Some("script"), Mutates, "Run lines of bash";
    ShExec(super::sh::Exec) = "sh.exec", 1, Some("argv"), Mutates, "Run a command without a shell";
    TemplateRender(super::template::Render) = "template.render", 1, Some("path"), Reads, "Fill in a template";
    YamlRead(super::yaml::ReadYaml) = "yaml.read", 1, Some("path"), Reads, "A YAML file as data";
    YamlEdit(super::yaml::Edit) = "yaml.edit", 1, Some("path"), Files, "Change one value of a YAML file, and no other byte";
    JsonRead(super::yaml::ReadJson) = "json.read", 1, Some("path"), Reads, "A JSON file as data";
    TomlRead(super::yaml::ReadToml) = "toml.read", 1, Some("path"), Reads, "A TOML file as data";
    SecretsEnv(super::secrets::Env) = "secrets.env", 1, Some("name"), Reads, "A secret from the environment";
}
