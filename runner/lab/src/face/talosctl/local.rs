//! Verbs that need no node: `gen secrets`, `gen config`, `validate`, `config info`.
//! Certificates carry dates of simulated time.

use super::Start;
use super::get::CLIENT;
use crate::config::client::{Talosconfig, talosconfig};
use crate::config::encode::{EPOCH, unbase64, unix};
use crate::config::pki::describe;
use crate::config::{self, Base, Secrets};
use crate::face::{FileWrite, Process, ToolOutput, failed, not_modelled};
use crate::ledger::{Asset, Place};
use crate::spec::Role;
use crate::trace::fingerprint;
use crate::world::SnapshotId;

fn done(stdout: String, stderr: &str, writes: Vec<FileWrite>) -> Process {
    let (stdout, stderr) = (stdout.into_bytes(), stderr.as_bytes().to_vec());
    Process::done(ToolOutput { code: 0, stdout, stderr, writes })
}

pub(super) fn generate(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    match start.words.first().map(String::as_str) {
        Some("secrets") => secrets(start),
        Some("config") => configs(start),
        other => Err(not_modelled(&format!("talosctl gen {}", other.unwrap_or_default()))),
    }
}

fn exists(start: &Start<'_>, path: &str) -> Result<(), ToolOutput> {
    if start.flags.bool("force", false) || start.files.read(path).is_none() {
        return Ok(());
    }
    Err(failed(&format!("file {path:?} already exists, use --force to overwrite\n")))
}

/// The secrets exist in a file outside the cluster from now on.
fn kept(start: &mut Start<'_>, secrets: &Secrets) {
    let asset = Asset::Secrets(fingerprint(secrets.certs.os.crt.as_str()));
    start.lab.world.ledger.add(asset, Place::Outside(SnapshotId::default()));
}

fn secrets(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let path = start.flags.one("output-file").unwrap_or("secrets.yaml").to_owned();
    exists(start, &path)?;
    let secrets = Secrets::generate(&mut start.lab.random);
    kept(start, &secrets);
    let bytes = secrets.yaml().into_bytes();
    Ok(done(String::new(), "", vec![FileWrite { path, bytes, mode: 0o600 }]))
}

fn configs(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let [_, cluster, endpoint] = start.words.as_slice() else {
        let given = start.words.len().saturating_sub(1);
        return Err(failed(&format!("accepts 2 arg(s), received {given}\n\n")));
    };
    let (cluster, endpoint) = (cluster.clone(), endpoint.clone());
    check_endpoint(&endpoint)?;
    let types: Vec<String> = match start.flags.list("output-types") {
        [] => ["controlplane", "worker", "talosconfig"].map(str::to_owned).to_vec(),
        given => given.to_vec(),
    };
    for wanted in &types {
        if !matches!(wanted.as_str(), "controlplane" | "worker" | "talosconfig") {
            return Err(failed(&format!(
                "1 error occurred:\n\t* invalid output type: {wanted:?}\n\n\n"
            )));
        }
    }
    let output = start.flags.one("output").unwrap_or("").to_owned();
    if output == "-" && types.len() > 1 {
        return Err(failed("can't use multiple output types with stdout\n"));
    }
    let secrets = match start.flags.one("with-secrets") {
        None => Secrets::generate(&mut start.lab.random),
        Some(path) => {
            let Some(bytes) = start.files.read(path) else {
                return Err(failed(&format!(
                    "failed to load secrets bundle: open {path}: no such file or directory\n"
                )));
            };
            Secrets::read(&String::from_utf8_lossy(&bytes))
                .map_err(|error| failed(&format!("failed to load secrets bundle: {error}\n")))?
        }
    };
    let version = |flag: &str, default: &str| {
        let given = start.flags.one(flag).unwrap_or(default);
        if given.starts_with('v') { given.to_owned() } else { format!("v{given}") }
    };
    let kubernetes = version("kubernetes-version", &start.lab.spec.kubernetes_version);
    let base = Base {
        cluster: &cluster,
        endpoint: &endpoint,
        talos: CLIENT,
        kubernetes: &kubernetes,
        disk: start.flags.one("install-disk").unwrap_or("/dev/sda"),
        secrets: &secrets,
    };
    let mut files = Vec::new();
    for wanted in &types {
        let text = match wanted.as_str() {
            "controlplane" => config::base(Role::ControlPlane, &base),
            "worker" => config::base(Role::Worker, &base),
            _ => client(&mut start.lab.random, start.lab.world.now, &cluster, &secrets),
        };
        files.push((wanted.clone(), with_image(start, text)));
    }
    kept(start, &secrets);
    let mut stderr = "generating PKI and tokens\n".to_owned();
    if output == "-" {
        let text = files.pop().map(|(_, text)| text).unwrap_or_default();
        return Ok(done(text, &stderr, Vec::new()));
    }
    let single = types.len() == 1;
    let mut writes = Vec::new();
    for (name, text) in files {
        let file = if name == "talosconfig" { name } else { format!("{name}.yaml") };
        let path = match output.trim_end_matches('/') {
            "" => file,
            given if single && !output.ends_with('/') => given.to_owned(),
            folder => format!("{folder}/{file}"),
        };
        let shown = absolute(start, &path);
        if !start.flags.bool("force", false) && start.files.read(&path).is_some() {
            stderr.push_str(&format!("file {shown:?} already exists, use --force to overwrite\n"));
            return Err(failed(&stderr));
        }
        stderr.push_str(&format!("Created {shown}\n"));
        // Readable by everybody although they hold keys: so the real tool leaves them.
        writes.push(FileWrite { path, bytes: text.into_bytes(), mode: 0o644 });
    }
    Ok(done(String::new(), &stderr, writes))
}

/// A path as the tool shows it: below the working directory, where that is known.
fn absolute(start: &Start<'_>, path: &str) -> String {
    let known = start.call.env.iter().find(|(name, _)| name == "PWD");
    match known.filter(|_| !path.starts_with('/')) {
        Some((_, folder)) => format!("{}/{path}", folder.trim_end_matches('/')),
        None => path.to_owned(),
    }
}

fn with_image(start: &Start<'_>, text: String) -> String {
    let Some(image) = start.flags.one("install-image") else { return text };
    text.replace(&format!("ghcr.io/siderolabs/installer:{CLIENT}"), image)
}

fn check_endpoint(endpoint: &str) -> Result<(), ToolOutput> {
    let host = endpoint.rsplit("//").next().unwrap_or(endpoint);
    let host = host.split(':').next().unwrap_or(host);
    if !endpoint.contains("://") {
        return Err(failed(&format!(
            "no scheme and port specified for the cluster endpoint URL\ntry: \"https://{host}:6443\"\n"
        )));
    }
    if !endpoint.starts_with("https://") {
        return Err(failed(&format!(
            "the control plane endpoint URL should have scheme https://\ntry: \"https://{host}:6443\"\n"
        )));
    }
    Ok(())
}

/// A talosconfig for the admin role.
pub(crate) fn client(
    random: &mut crate::rng::Stream,
    now: u64,
    cluster: &str,
    secrets: &Secrets,
) -> String {
    let pair = Secrets::client("talos", "os:admin", EPOCH + now / 1_000, random);
    talosconfig(cluster, &[], &secrets.certs.os.crt, &pair)
}

pub(super) fn validate(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let Some(mode) = start.flags.one("mode") else {
        return Err(failed("required flag(s) \"mode\" not set\n\n"));
    };
    if !matches!(mode, "metal" | "cloud" | "container") {
        return Err(failed(&format!("unknown runtime mode: {mode:?}\n")));
    }
    let path = start.flags.one("config").unwrap_or("");
    let Some(bytes) = start.files.read(path) else {
        return Err(failed(&format!("open {path}: no such file or directory\n")));
    };
    let document = config::read(&String::from_utf8_lossy(&bytes))
        .map_err(|error| failed(&format!("{error}\n")))?;
    document.validate(mode != "metal").map_err(|error| failed(&format!("{error}\n")))?;
    Ok(done(format!("{path} is valid for {mode} mode\n"), "", Vec::new()))
}

pub(super) fn config(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let path = start
        .flags
        .one("talosconfig")
        .map(str::to_owned)
        .or_else(|| {
            let set = start.call.env.iter().find(|(name, _)| name == "TALOSCONFIG");
            set.map(|(_, value)| value.clone())
        })
        .unwrap_or_default();
    let bytes = start.files.read(&path).unwrap_or_default();
    let config = Talosconfig::read(&String::from_utf8_lossy(&bytes))
        .map_err(|error| failed(&format!("{error}\n")))?;
    let name = start.flags.one("context").unwrap_or(&config.context);
    let Some(context) = config.contexts.get(name) else {
        return Err(failed("no context is set\n"));
    };
    let list = |items: &[String], none: &str| {
        if items.is_empty() { none.to_owned() } else { items.join(", ") }
    };
    if let Some(format) = start.flags.one("output").filter(|format| *format != "text") {
        return Err(not_modelled(&format!("talosctl config info -o {format}")));
    }
    let pem = unbase64(&context.crt).and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((role, end)) = pem.as_deref().and_then(describe) else {
        return Err(failed("error parsing client certificate\n"));
    };
    let [year, month, day] = end;
    let now = EPOCH + start.lab.world.now / 1_000;
    let text = format!(
        "Current context:     {name}\nNodes:               {}\nEndpoints:           {}\nRoles:               \
         {role}\nCertificate expires: {} ({year:04}-{month:02}-{day:02})\n",
        list(&context.nodes, "not defined"),
        list(&context.endpoints, "not defined"),
        from_now(now, unix(year, month, day)),
    );
    Ok(done(text, "", Vec::new()))
}

/// A time as go-humanize says it, for whole days and more.
fn from_now(now: u64, then: u64) -> String {
    let days = now.abs_diff(then) / 86_400;
    let span = match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        2..=6 => format!("{days} days"),
        7..=13 => "1 week".to_owned(),
        14..=29 => format!("{} weeks", days / 7),
        30..=59 => "1 month".to_owned(),
        60..=359 => format!("{} months", days / 30),
        360..=539 => "1 year".to_owned(),
        540..=719 => "2 years".to_owned(),
        _ => format!("{} years", days / 360),
    };
    format!("{span} {}", if then > now { "from now" } else { "ago" })
}
