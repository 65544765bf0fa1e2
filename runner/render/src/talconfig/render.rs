//! A node's machine config: its settings on a generated base, the documents
//! they make, then the patches. Facts: `pkg/generate` and `pkg/talos` of
//! talhelper v3.1.16. What is not done yet is refused at its place.

use std::rc::Rc;

use super::node::{Node, Role};
use super::patches::patch_of;
use super::{Schema, Talconfig, Variables, check};
use crate::diagnostic::Diagnostic;
use crate::machinery::decode::slot;
use crate::machinery::profile::{Codec, Profile, Shape, TypeId};
use crate::machinery::value::Value;
use crate::patch::{Document, Patched, merge_into, patch, read_config, write_config};
use crate::yaml::read::Source;

/// Brings the content of a file that a talconfig names with `@`, decrypted.
pub type ReadFile<'r> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'r;

/// Settings that stand in the legacy document as they are, and where.
const PLAIN: &[(&str, &[&str])] = &[
    ("installDisk", &["machine", "install", "disk"]),
    ("installDiskSelector", &["machine", "install", "diskSelector"]),
    ("machineDisks", &["machine", "disks"]),
    ("kernelModules", &["machine", "kernel", "modules"]),
    ("nodeAnnotations", &["machine", "nodeAnnotations"]),
    ("nodeLabels", &["machine", "nodeLabels"]),
    ("nodeTaints", &["machine", "nodeTaints"]),
];

/// Settings of the whole file that stand in the legacy document as they are.
const CLUSTER: &[(&str, &[&str])] = &[
    ("domain", &["cluster", "network", "dnsDomain"]),
    ("clusterPodNets", &["cluster", "network", "podSubnets"]),
    ("clusterSvcNets", &["cluster", "network", "serviceSubnets"]),
    ("additionalMachineCertSans", &["machine", "certSANs"]),
];

/// Settings that are not rendered yet.
const LATER: &[&str] = &["extraManifests"];

impl Talconfig {
    /// Renders a node on the base that its role has: a config generated for
    /// this cluster's name, endpoint, versions and secrets.
    ///
    /// # Errors
    /// A setting or patch that cannot be applied, with its place; also one
    /// that is not rendered yet, such as `networkInterfaces`.
    pub fn render(
        &self,
        node: &Node,
        base: Source<'_>,
        schema: &Schema,
        profile: &Profile,
        variables: &Variables,
        read: &ReadFile<'_>,
    ) -> Result<Patched, Vec<Diagnostic>> {
        let mut documents = read_config(base, profile)?;
        let one = |problem| vec![problem];
        let job = Job { config: self, node, schema, profile, variables, read };
        let legacy = documents.first_mut().filter(|document| document.is_legacy(profile));
        let Some(legacy) = legacy else {
            let message = "the base has no v1alpha1 document";
            return Err(vec![check::problem(base.name, crate::Mark::default(), message)]);
        };
        job.cluster(legacy).map_err(one)?;
        job.settings(legacy).map_err(one)?;
        let added = job.documents().map_err(one)?;
        let documents = merge_into(documents, added, &self.file, profile)?;
        let text = write_config(&documents, profile);
        let mut patches = Vec::new();
        for text in self.patches_of(node) {
            patches.extend(patch_of(&text, &self.file, profile, variables, read)?);
        }
        patch(Source { name: base.name, bytes: text.as_bytes() }, &patches, profile)
    }
}

struct Job<'j> {
    config: &'j Talconfig,
    node: &'j Node,
    schema: &'j Schema,
    profile: &'j Profile,
    variables: &'j Variables,
    read: &'j ReadFile<'j>,
}

impl Job<'_> {
    /// The value of a setting in force, unless it is unset.
    fn setting(&self, key: &str) -> Option<&(TypeId, Value)> {
        self.node.settings.get(key).filter(|(_, value)| !value.is_zero())
    }

    fn refused(&self, message: impl Into<String>) -> Diagnostic {
        let message = format!("node `{}`: {}", self.node.hostname, message.into());
        check::problem(&self.config.file, self.node.mark, message)
    }

    /// Whether the nodes run Talos 1.`minor` or later.
    fn at_least(&self, minor: u32) -> Result<bool, Diagnostic> {
        let version = self.config.talos_version.trim_start_matches('v');
        let mut parts = version.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(found))) => Ok((major, found) >= (1, minor)),
            _ => Err(self.refused("`talosVersion` is missing or no version like v1.13.0")),
        }
    }

    /// Documents of their own for network settings came with Talos 1.12.
    fn network_documents(&self) -> Result<bool, Diagnostic> {
        self.at_least(12)
    }

    fn settings(&self, legacy: &mut Document) -> Result<(), Diagnostic> {
        for key in LATER {
            if self.setting(key).is_some_and(|(_, value)| !is_empty(value)) {
                return Err(self.refused(format!("`{key}` is not rendered yet")));
            }
        }
        for (key, path) in PLAIN {
            let Some((_, value)) = self.setting(key) else { continue };
            if let Value::Map(map) = value
                && let Some((name, _)) = map.iter().find(
                    |(_, value)| matches!(value, Value::Text(text) if text.contains("{{") || text.contains("}}")),
                )
            {
                let message = format!("`{key}.{name}` is a Go template, which is not rendered yet");
                return Err(self.refused(message));
            }
            self.set(legacy, path, value.clone());
        }
        if let Some((_, Value::List(names))) = self.setting("certSANs") {
            self.append(legacy, &["machine", "certSANs"], names.clone());
        }
        if let Some((_, Value::List(files))) = self.setting("machineFiles") {
            let files = self.with_content(files, 0)?;
            let files = files.into_iter().map(|file| Value::Pointer(Box::new(file))).collect();
            self.set(legacy, &["machine", "files"], Value::List(files));
        }
        let image = Value::Text(self.image()?);
        self.set(legacy, &["machine", "install", "image"], image);
        let interfaces = self.setting("networkInterfaces").filter(|(_, value)| !is_empty(value));
        match (self.network_documents()?, interfaces) {
            (true, Some(_)) => {
                let message = "`networkInterfaces` is not rendered yet from Talos 1.12 on; \
                     write the network documents as patches";
                return Err(self.refused(message));
            }
            (true, None) => {}
            (false, _) => {
                self.old_network(legacy);
                self.kernel_arguments(legacy);
            }
        }
        Ok(())
    }

    fn old_network(&self, legacy: &mut Document) {
        if !matches!(self.setting("ignoreHostname"), Some((_, Value::Bool(true)))) {
            let hostname = Value::Text(self.node.hostname.clone());
            self.set(legacy, &["machine", "network", "hostname"], hostname);
        }
        if let Some((_, nameservers)) = self.setting("nameservers") {
            self.set(legacy, &["machine", "network", "nameservers"], nameservers.clone());
        }
        if let Some((_, interfaces)) = self.setting("networkInterfaces") {
            self.set(legacy, &["machine", "network", "interfaces"], interfaces.clone());
        }
        if let Some((_, value)) = self.setting("disableSearchDomain") {
            self.set(legacy, &["machine", "network", "disableSearchDomain"], value.clone());
        }
    }

    /// Before Talos 1.12 the arguments of the schematic's image are repeated for
    /// the boot loader, unless the kernel is started without one.
    fn kernel_arguments(&self, legacy: &mut Document) {
        let within = |(type_id, value): (TypeId, &Value), key: &str| {
            let inner = self.schema.field(self.elem(type_id), value.pointee(), key);
            inner.map(|(type_id, value)| (type_id, value.clone()))
        };
        let spec = self.setting("machineSpec").map(|(type_id, value)| (*type_id, value));
        if spec.and_then(|spec| within(spec, "useUKI")).is_some_and(|(_, v)| v == Value::Bool(true))
        {
            return;
        }
        let Some((type_id, schematic)) = self.setting("schematic") else { return };
        let Some((type_id, customization)) = within((*type_id, schematic), "customization") else {
            return;
        };
        if let Some((_, Value::List(arguments))) =
            within((type_id, &customization), "extraKernelArgs")
        {
            self.append(legacy, &["machine", "install", "extraKernelArgs"], arguments);
        }
    }

    /// Items with a text that may be `@FILE` and is read then, each a struct
    /// with a mark beside it whether variables stay. Talhelper passes such a
    /// file through a YAML encoder, which joins lines and drops comments; here
    /// it stays as it is.
    fn with_content(&self, items: &[Value], field: usize) -> Result<Vec<Value>, Diagnostic> {
        let mut out = Vec::new();
        for item in items {
            let [item, skips] = item.pointee().fields() else { continue };
            let mut item = item.clone();
            if let Value::Struct(fields) = &mut item
                && let Some(Value::Text(content)) = fields.get_mut(field)
                && let Some(name) = content.strip_prefix('@')
            {
                let name = name.trim().to_owned();
                let bytes = (self.read)(&name)
                    .map_err(|why| self.refused(format!("`{name}` cannot be read: {why}")))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| self.refused(format!("`{name}` is not UTF-8 text")))?;
                *content = if *skips == Value::Bool(true) {
                    text
                } else {
                    super::substitute::expand(&text, self.variables)
                        .map_err(|why| self.refused(format!("`{name}`: {why}")))?
                };
            }
            out.push(item);
        }
        Ok(out)
    }

    /// Settings of the whole file.
    fn cluster(&self, legacy: &mut Document) -> Result<(), Diagnostic> {
        let setting = |key: &str| {
            self.config.settings.get(key).filter(|value| !value.is_zero() && !is_empty(value))
        };
        let control_plane = self.node.role == Role::ControlPlane;
        for (key, path) in CLUSTER {
            if let Some(value) = setting(key) {
                self.set(legacy, path, value.clone());
            }
        }
        if let (Some(Value::List(names)), true) =
            (setting("additionalApiServerCertSans"), control_plane)
        {
            self.append(legacy, &["cluster", "apiServer", "certSANs"], names.clone());
        }
        let alias = ["allowSchedulingOnMasters", "allowSchedulingOnControlPlanes"];
        if control_plane && alias.iter().any(|key| setting(key).is_some()) {
            let path = ["cluster", "allowSchedulingOnControlPlanes"];
            self.set(legacy, &path, Value::Bool(true));
        }
        if let Some(cni) = setting("cniConfig") {
            if self.at_least(14)? {
                return Err(self.refused("`cniConfig` is not rendered yet from Talos 1.14 on"));
            }
            self.set(legacy, &["cluster", "network", "cni"], cni.clone());
        }
        if let Some(Value::List(manifests)) = setting("inlineManifests") {
            let manifests = Value::List(self.with_content(manifests, 1)?);
            self.set(legacy, &["cluster", "inlineManifests"], manifests);
        }
        Ok(())
    }

    fn image(&self) -> Result<String, Diagnostic> {
        let version = &self.config.talos_version;
        if !self.node.image.is_empty() {
            return Ok(format!("{}:{version}", self.node.image));
        }
        let factory = |key: &str| self.config.factory.get(key).map(String::as_str);
        if factory("installerURLTmpl").is_some_and(|template| !template.is_empty()) {
            return Err(self.refused("`imageFactory.installerURLTmpl` is not rendered yet"));
        }
        let registry = factory("registryURL").filter(|url| !url.is_empty());
        let spec = self.setting("machineSpec");
        let field = |key: &str| match spec {
            Some((type_id, value)) => {
                self.schema.field(*type_id, value, key).map(|(_, v)| v.clone())
            }
            None => None,
        };
        let mode = match field("mode") {
            Some(Value::Text(mode)) if !mode.is_empty() => mode,
            _ => "metal".to_owned(),
        };
        let secure =
            if field("secureboot") == Some(Value::Bool(true)) { "-secureboot" } else { "" };
        let registry = registry.unwrap_or("factory.talos.dev");
        let id = &self.node.schematic_id;
        Ok(format!("{registry}/{mode}-installer{secure}/{id}:{version}"))
    }

    /// The documents that a node's settings make, in talhelper's order.
    fn documents(&self) -> Result<Vec<Document>, Diagnostic> {
        let mut out = Vec::new();
        if self.network_documents()? {
            let nameservers = match self.setting("nameservers") {
                Some((_, Value::List(list))) => &list[..],
                _ => &[],
            };
            let disabled = self.setting("disableSearchDomain").is_some();
            if !nameservers.is_empty() || disabled {
                let servers = nameservers.iter().map(|server| self.nameserver(server));
                let servers = servers.collect::<Result<_, _>>()?;
                let mut document = self.document("ResolverConfig");
                self.set(&mut document, &["nameservers"], Value::List(servers));
                self.set(
                    &mut document,
                    &["searchDomains", "disableDefault"],
                    Value::Bool(disabled),
                );
                out.push(document);
            }
            let mut document = self.document("HostnameConfig");
            let stable = matches!(self.setting("ignoreHostname"), Some((_, Value::Bool(true))));
            let auto = self.named(&document, "auto", if stable { "stable" } else { "off" });
            self.set(&mut document, &["auto"], auto);
            if !stable {
                self.set(&mut document, &["hostname"], Value::Text(self.node.hostname.clone()));
            }
            out.push(document);
        }
        if let Some((type_id, firewall)) = self.setting("ingressFirewall") {
            let inner = self.elem(*type_id);
            let part = |key: &str| self.schema.field(inner, firewall.pointee(), key);
            if let Some((_, action)) = part("defaultAction") {
                let mut document = self.document("NetworkDefaultActionConfig");
                self.set(&mut document, &["ingress"], action.clone());
                out.push(document);
            }
            if let Some((list, Value::List(rules))) = part("rules") {
                let keys = ["name", "portSelector", "ingress"];
                self.each("NetworkRuleConfig", self.elem(list), rules, &keys, &mut out);
            }
        }
        let lists: [(&str, &str, &[&str]); 3] = [
            (
                "extensionServices",
                "ExtensionServiceConfig",
                &["name", "configFiles", "environment"],
            ),
            ("volumes", "VolumeConfig", &["name", "provisioning", "encryption"]),
            (
                "userVolumes",
                "UserVolumeConfig",
                &["name", "volumeType", "provisioning", "filesystem", "encryption"],
            ),
        ];
        for (setting, kind, keys) in lists {
            if let Some((list, Value::List(items))) = self.setting(setting) {
                self.each(kind, self.elem(self.elem(*list)), items, keys, &mut out);
            }
        }
        Ok(out)
    }

    /// One document per item, with the item's fields of the same keys.
    fn each(
        &self,
        kind: &str,
        item: TypeId,
        items: &[Value],
        keys: &[&str],
        out: &mut Vec<Document>,
    ) {
        for value in items {
            let mut document = self.document(kind);
            for key in keys {
                if let Some((_, field)) = self.schema.field(item, value.pointee(), key) {
                    self.set(&mut document, &[key], field.clone());
                }
            }
            out.push(document);
        }
    }

    fn nameserver(&self, server: &Value) -> Result<Value, Diagnostic> {
        let Value::Text(text) = server else { return Err(self.refused("a nameserver is no text")) };
        let address = crate::machinery::address::address(text).map_err(|why| self.refused(why))?;
        Ok(Value::Struct(vec![Value::Opaque(Some(address))]))
    }

    fn elem(&self, type_id: TypeId) -> TypeId {
        match self.schema.0.get(type_id).shape {
            Shape::Pointer(elem) | Shape::List(elem) => elem,
            _ => type_id,
        }
    }

    fn document(&self, kind: &str) -> Document {
        let mut document = Document::new(kind, &self.config.file, self.node.mark, self.profile);
        self.set(&mut document, &["apiVersion"], Value::Text("v1alpha1".to_owned()));
        self.set(&mut document, &["kind"], Value::Text(kind.to_owned()));
        document
    }

    /// The value of an enumeration by its name.
    fn named(&self, document: &Document, key: &str, name: &str) -> Value {
        let keys = &self.profile.get(document.type_id).keys;
        let field = keys.iter().find(|known| known.name == key).map(|key| key.type_id);
        let inner = field.map(|id| match self.profile.get(id).shape {
            Shape::Pointer(elem) => elem,
            _ => id,
        });
        match inner.and_then(|id| self.profile.get(id).codec.as_ref()) {
            Some(Codec::Enumeration { names, .. }) => Value::Int(
                names.iter().find(|(_, text)| text == name).map_or(0, |(value, _)| *value),
            ),
            _ => Value::Int(0),
        }
    }

    fn set(&self, document: &mut Document, path: &[&str], new: Value) {
        let mut new = Some(new);
        set(self.profile, document.type_id, &mut document.value, path, &mut |slot| {
            if let Some(new) = new.take() {
                *slot = new;
            }
        });
    }

    fn append(&self, document: &mut Document, path: &[&str], new: Vec<Value>) {
        let mut new = Some(new);
        set(self.profile, document.type_id, &mut document.value, path, &mut |slot| {
            let mut items = match std::mem::replace(slot, Value::Nil) {
                Value::List(items) => items,
                _ => Vec::new(),
            };
            items.extend(new.take().unwrap_or_default());
            *slot = Value::List(items);
        });
    }
}

/// Goes down a path of keys, making what is missing, and changes what is there.
fn set(
    profile: &Profile,
    type_id: TypeId,
    value: &mut Value,
    path: &[&str],
    change: &mut dyn FnMut(&mut Value),
) {
    let shape = &profile.get(type_id).shape;
    if let Shape::Pointer(elem) = shape
        && (!path.is_empty() || !matches!(profile.get(*elem).shape, Shape::Struct(_)))
    {
        if *value == Value::Nil {
            *value = Value::Pointer(Box::new(Value::zero(profile, *elem)));
        }
        if let Value::Pointer(inner) = value {
            return set(profile, *elem, inner, path, change);
        }
    }
    let Some((first, rest)) = path.split_first() else {
        change(value);
        // A pointer brought along replaces the pointer, not what it points at.
        if !matches!(shape, Shape::Pointer(_))
            && let Value::Pointer(inner) = value
        {
            *value = (**inner).clone();
        }
        return;
    };
    let key = profile.get(type_id).keys.iter().find(|key| key.name == *first);
    if let (Some(key), Value::Struct(values)) = (key, value)
        && let Some(value) = slot(values, &key.path)
    {
        set(profile, key.type_id, value, rest, change);
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::List(items) if items.is_empty())
}

/// The settings of a node are kept by their keys.
pub(super) type Settings = std::collections::BTreeMap<String, (TypeId, Value)>;

/// The name of the talconfig, as findings carry it.
pub(super) type FileName = Rc<str>;
