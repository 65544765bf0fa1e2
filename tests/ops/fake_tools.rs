//! Tools that need no cluster, as scripts: a talosctl that generates from recorded files, a sops whose ciphertext anybody can read. Knows nothing of
//! what is tested.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::space::Space;

/// Answers what rendering asks: the client's version, base configs and a talosconfig as recorded from talosctl 1.13.0, and that a config is valid.
/// The bundle must arrive on stdin.
const TALOSCTL: &str = r#"#!/bin/sh
echo "$*" >> LOG
case "$*" in
  *"version --client"*) cat FIXTURES/version/stdout ;;
  "gen config "*"--with-secrets=/dev/stdin"*)
    grep -q 'bootstraptoken' || { echo "no bundle on stdin" >&2; exit 1; }
    case "$*" in
      *output-types=controlplane*) cat FIXTURES/inputs/controlplane.yaml ;;
      *output-types=worker*) cat FIXTURES/inputs/worker.yaml ;;
      *) sed -e 's/endpoints:$/endpoints: []/' -e '/^ *- 127/d' -e 's/home:/CONTEXT:/; s/context: home/context: CONTEXT/' FIXTURES/inputs/talosconfig ;;
    esac ;;
  validate*) cat > /dev/null ;;
  *) echo "unexpected: $*" >&2; exit 64 ;;
esac
"#;

/// Decrypts `ENC[AES256_GCM,data:TEXT]` to TEXT where KEY_OF_SOPS is set.
const SOPS: &str = r#"#!/bin/sh
echo "sops $*" >> LOG
[ "$*" = "--decrypt --input-type=yaml --output-type=yaml /dev/stdin" ] || { echo "unexpected: $*" >&2; exit 64; }
[ -n "$KEY_OF_SOPS" ] || { echo "Failed to get the data key required to decrypt the SOPS file." >&2; exit 128; }
sed -e '/^sops:/,$d' -e 's/ENC\[AES256_GCM,data:\([^]]*\)\]/\1/'
"#;

/// What a file of SOPS ends with.
pub(crate) const SEALED: &str = "sops:\n  mac: ENC[AES256_GCM,data:mac]\n";

/// The secrets bundle of the recorded configs.
pub(crate) fn bundle() -> String {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/talosctl/1.13.0/inputs/secrets.yaml");
    fs::read_to_string(path).unwrap()
}

/// A recorded machine config: `controlplane` or `worker`.
pub(crate) fn recorded(role: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/talosctl/1.13.0/inputs");
    fs::read_to_string(format!("{folder}/{role}.yaml")).unwrap()
}

/// Puts talosctl on the path of a space, for a cluster whose context is `context`.
pub(crate) fn with_talosctl(space: &mut Space, context: &str) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/talosctl/1.13.0");
    let text = TALOSCTL.replace("FIXTURES", fixtures).replace("CONTEXT", context);
    tool(space, "talosctl", &text);
}

/// Puts sops on the path of a space.
pub(crate) fn with_sops(space: &mut Space) {
    tool(space, "sops", SOPS);
}

fn tool(space: &mut Space, name: &str, text: &str) {
    let log = space.state().join("tools.log").display().to_string();
    let folder = space.state().join("fakes");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text.replace("LOG", &log)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let value = format!("{}:/usr/bin:/bin", folder.display());
    space.env("PATH", &value);
}

/// The command lines that the fakes were started with.
pub(crate) fn asked(space: &Space) -> Vec<String> {
    let log = fs::read_to_string(space.state().join("tools.log")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}
