//! What a node's image holds: official extensions and an overlay, by the list
//! of talhelper. Like there it is looked at only where the official factory
//! makes the image, and nobody said `noSchematicValidate`.

use std::collections::BTreeSet;

use super::Findings;
use crate::machinery::strict::nearest;
use crate::talconfig::extensions::Releases;
use crate::talconfig::image::REGISTRY;
use crate::talconfig::view::View;
use crate::talconfig::{Node, Schema, Talconfig};

const AS_IT_IS: &str = "`noSchematicValidate: true` takes the schematic as it is";

pub(super) fn check(findings: &mut Findings<'_>, config: &Talconfig, node: &Node, schema: &Schema) {
    let factory = config.view(schema).field("imageFactory");
    let registry = factory.map_or("", |factory| factory.text("registryURL"));
    let skips = node.setting(schema, "noSchematicValidate").is_some();
    if skips || !["", REGISTRY].contains(&registry) {
        return;
    }
    let Some(schematic) = node.setting(schema, "schematic") else { return };
    let customization = schematic.field("customization");
    let extensions = customization
        .and_then(|part| part.field("systemExtensions"))
        .map(|part| part.list("officialExtensions"))
        .unwrap_or_default();
    let overlay = schematic
        .field("overlay")
        .filter(|overlay| !overlay.text("name").is_empty() || !overlay.text("image").is_empty());
    if extensions.is_empty() && overlay.is_none() {
        return;
    }
    let releases = match Releases::load() {
        Ok(releases) => releases,
        Err(why) => return findings.add(schematic.mark, why),
    };
    let release = releases.nearest(&config.talos_version);
    let mut known = BTreeSet::new();
    for extension in extensions {
        let name = extension.as_text();
        findings.need(known.insert(name), extension.mark, || format!("`{name}` is here twice"));
        if !releases.has_extension(name, release) {
            let version = releases.version(release);
            let message = format!("`{name}` is no official extension of Talos {version}");
            let until = releases
                .last_with_extension(name)
                .map(|last| format!("the last release that has it is {last}; "));
            let near = releases
                .near_extension(name, release)
                .map(|near| format!("did you mean `{near}`? "));
            let hint =
                format!("{}{}{AS_IT_IS}", until.unwrap_or_default(), near.unwrap_or_default());
            findings.hinted(extension.mark, message, hint);
        }
    }
    if let Some(overlay) = overlay {
        check_overlay(findings, overlay, &releases, release);
    }
}

fn check_overlay(
    findings: &mut Findings<'_>,
    overlay: View<'_>,
    releases: &Releases,
    release: usize,
) {
    let (name, image) = (overlay.text("name"), overlay.text("image"));
    if name.is_empty() || image.is_empty() {
        return findings.add(overlay.mark, "an overlay needs both `name` and `image`");
    }
    match releases.overlay(name, release) {
        Some(known) if known == image => {}
        Some(known) => {
            let message = format!("the overlay `{name}` is in the image `{known}`, not `{image}`");
            findings.hinted(overlay.place("image"), message, AS_IT_IS);
        }
        None => {
            let version = releases.version(release);
            let message = format!("`{name}` is no overlay of Talos {version}");
            let near = nearest(name, &releases.overlays(release))
                .map_or(String::new(), |near| format!("did you mean `{near}`? "));
            findings.hinted(overlay.place("name"), message, format!("{near}{AS_IT_IS}"));
        }
    }
}
