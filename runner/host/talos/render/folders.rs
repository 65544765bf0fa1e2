//! topf's folders of patches: `all/`, the role's, `node/HOST/`, each in the order of its names; later ones win.

use std::collections::BTreeMap;

use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::Role;
use ops_core::value::Value;
use ops_render::{Patch, Source, Tree, go_template, go_variables};
use serde_json::json;

use super::origin::has_ending;
use super::patches::Job;
use crate::host::content::denied;
use crate::host::fs::glob;

/// A config with everything laid over it that topf lays over it.
///
/// # Errors
/// A file that cannot be opened; a text that is no patch, at its line.
pub(super) async fn laid_over(
    job: &mut Job<'_>,
    config: &str,
    file: &str,
    folder: &str,
    image: Option<&String>,
) -> Result<String, CallError> {
    let mut patches = Vec::new();
    if let Some(image) = image {
        let text = json!({"machine": {"install": {"image": image}}}).to_string();
        let source = Source { name: "the installer image", bytes: text.as_bytes() };
        patches.push(Patch::from_source(source, &job.profile).map_err(|e| job.texts.refused(&e))?);
    }
    let role = match job.node.role {
        Role::Controlplane => "control-plane",
        Role::Worker => "worker",
    };
    for part in ["all".to_owned(), role.to_owned(), format!("node/{}", job.node.name)] {
        let part = if folder.is_empty() { part } else { format!("{folder}/{part}") };
        for path in files(job, &part)? {
            patches.extend(patch(job, &path, file).await?);
        }
    }
    if patches.is_empty() {
        Ok(config.to_owned())
    } else {
        job.patched("the base config", config, &patches)
    }
}

/// The files of a folder and those below it, in the order of their names.
fn files(job: &Job<'_>, folder: &str) -> Result<Vec<String>, CallError> {
    match job.cx.files.stat(folder).map_err(|error| denied(folder, &error))? {
        Some(stat) if stat.dir => {}
        _ => return Ok(Vec::new()),
    }
    let kinds = [".yaml", ".yml", ".yaml.tpl", ".yml.tpl", ".yaml.j2", ".yml.j2"];
    let mut found = glob::find(&format!("{folder}/**"), job.cx.files)?;
    found.retain(|path| kinds.iter().any(|kind| path.ends_with(kind)));
    // A folder stands where its own name does, not where that of its files would.
    found.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    Ok(found)
}

/// The patch of a file; none where the file holds nothing.
async fn patch(job: &mut Job<'_>, path: &str, file: &str) -> Result<Option<Patch>, CallError> {
    let text = if has_ending(path, "tpl") {
        let (text, _) = job.cx.open_text(path).await?;
        job.texts.keep(path, &text);
        let asked = go_variables(&text).into_iter();
        let variables = asked.filter_map(|name| Some((job.cx.secrets.variable(&name)?, name)));
        let variables = variables.map(|(value, name)| (name, value)).collect();
        let data = data(job, file).await?;
        go_template(&text, &data, &variables).map_err(|(at, why)| {
            CallError::new(ErrorKind::Invalid, why)
                .at(job.texts.place(path, at.line, at.column))
                .before_effect()
        })?
    } else {
        super::origin::text(job, path).await?
    };
    if Job::is_empty(&text) {
        return Ok(None);
    }
    let source = Source { name: path, bytes: text.as_bytes() };
    let patch = Patch::from_source(source, &job.profile).map_err(|e| job.texts.refused(&e))?;
    if patch.is_json_patch() {
        return Err(CallError::new(ErrorKind::Invalid, "this is a list of RFC 6902 operations")
            .hint("topf merges strategic patches only: write the part of the config itself")
            .at(job.texts.place(path, 1, 0))
            .before_effect());
    }
    Ok(Some(patch))
}

/// What a template of topf may name.
async fn data(job: &mut Job<'_>, file: &str) -> Result<BTreeMap<String, Value>, CallError> {
    let cx = job.cx;
    let cluster = cx.cluster()?;
    let (text, _) = cx.open_text(file).await?;
    let documents = Tree::read(Source { name: file, bytes: text.as_bytes() })
        .map_err(|problem| job.texts.refused(&[problem]))?;
    let plain = |version: &Option<String>| {
        json!(version.as_deref().unwrap_or_default().trim_start_matches('v'))
    };
    let of = |of: Option<Tree>| of.as_ref().map_or_else(|| json!({}), value);
    let root = documents.first();
    let nodes = root.and_then(|root| root.get("nodes")?.items()).unwrap_or_default();
    let own = nodes
        .iter()
        .find(|n| n.get("host").is_some_and(|host| host.text() == Some(job.node.name.as_str())));
    let role = if job.node.is_control_plane() { "control-plane" } else { "worker" };
    let schematic = root.and_then(|root| root.get("schematicId"));
    let node = json!({
        "Host": job.node.name,
        "Role": role,
        "IP": job.node.address,
        "Data": of(own.and_then(|own| own.get("data"))),
        // Nobody asks the nodes while a config is rendered; topf leaves this empty then, too.
        "RuntimeData": {"TalosVersion": "", "SchematicID": "", "Stage": ""},
    });
    Ok(BTreeMap::from([
        ("ClusterName".to_owned(), json!(cluster.machines.cluster_name)),
        ("ClusterEndpoint".to_owned(), json!(cluster.endpoint)),
        ("KubernetesVersion".to_owned(), plain(&cluster.versions.kubernetes)),
        ("TalosVersion".to_owned(), plain(&cluster.versions.talos)),
        ("SchematicID".to_owned(), json!(schematic.as_ref().and_then(Tree::text))),
        ("Data".to_owned(), of(root.and_then(|root| root.get("data")))),
        ("Node".to_owned(), node),
    ]))
}

/// A value of the file as a template sees it.
fn value(tree: &Tree) -> Value {
    if let Some(items) = tree.items() {
        return items.iter().map(value).collect();
    }
    if tree.is_map() {
        let pairs = tree.pairs();
        let pairs =
            pairs.iter().map(|(key, of)| (key.text().unwrap_or_default().to_owned(), value(of)));
        return Value::Object(pairs.collect());
    }
    let text = tree.text().unwrap_or_default();
    match (tree.is_plain(), text, text.parse::<i64>()) {
        (true, "true", _) => json!(true),
        (true, "false", _) => json!(false),
        (true, _, Ok(number)) => json!(number),
        _ => json!(text),
    }
}
