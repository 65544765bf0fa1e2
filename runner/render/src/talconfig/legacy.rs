//! What a talconfig sets in the v1alpha1 document, and for whole clusters from
//! Talos 1.14 on in the Kubernetes documents beside it.

use super::build::{self, Given};
use super::node::Role;
use super::render::Job;
use super::view::View;
use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::value::Value;
use crate::patch::Document;

/// Settings of a node that stand there as they are.
const PLAIN: &[(&str, &[&str])] = &[
    ("installDiskSelector", &["machine", "install", "diskSelector"]),
    ("nodeTaints", &["machine", "nodeTaints"]),
];

/// Lists of a node that stand there as they are, unless they are empty.
const LISTS: &[(&str, &[&str])] = &[
    ("machineDisks", &["machine", "disks"]),
    ("kernelModules", &["machine", "kernel", "modules"]),
];

/// Maps of a node that replace what the base has; templates in them are
/// rendered when everything else is there.
const TEMPLATED: &[&str] = &["nodeLabels", "nodeAnnotations"];

impl<'j> Job<'j> {
    /// Sets what stands at a path of the document.
    pub(super) fn put(
        &self,
        document: &mut Document,
        path: &[&str],
        given: Given<'_>,
        mark: Mark,
    ) -> Result<(), Diagnostic> {
        build::put(self.profile, document.type_id, &mut document.value, path, given)
            .map_err(|why| self.refused(mark, why))
    }

    fn append(
        &self,
        document: &mut Document,
        path: &[&str],
        given: Given<'_>,
        mark: Mark,
    ) -> Result<(), Diagnostic> {
        build::append(self.profile, document.type_id, &mut document.value, path, given)
            .map_err(|why| self.refused(mark, why))
    }

    pub(super) fn same(&self, view: View<'j>) -> Given<'j> {
        Given::Same(view, &self.schema.0)
    }

    /// Settings of the node.
    pub(super) fn node_settings(&self, legacy: &mut Document) -> Result<(), Vec<Diagnostic>> {
        let one = |problem| vec![problem];
        for (key, path) in PLAIN {
            if let Some(setting) = self.setting(key) {
                self.put(legacy, path, self.same(setting), setting.mark).map_err(one)?;
            }
        }
        for (key, path) in LISTS {
            if let Some(setting) = self.setting(key).filter(|list| !list.items().is_empty()) {
                self.put(legacy, path, self.same(setting), setting.mark).map_err(one)?;
            }
        }
        // A generated base may come with a disk of its own choice.
        let disk = Given::Text(&self.node.install_disk);
        let place = self.node.place(self.schema, "installDisk");
        self.put(legacy, &["machine", "install", "disk"], disk, place).map_err(one)?;
        for key in TEMPLATED {
            let Some(setting) = self.setting(key) else { continue };
            self.put(legacy, &["machine", key], self.same(setting), setting.mark).map_err(one)?;
        }
        if let Some(names) = self.setting("certSANs") {
            self.append(legacy, &["machine", "certSANs"], self.same(names), names.mark)
                .map_err(one)?;
        }
        let files = self.node.items(self.schema, "machineFiles");
        if !files.is_empty() {
            let files = self.with_content(&files, "content")?;
            let path = ["machine", "files"];
            let item = build::item_type(self.profile, legacy.type_id, &path);
            let files = self.translated(&files, item).map_err(one)?;
            let place = self.node.place(self.schema, "machineFiles");
            self.put(legacy, &path, Given::Items(files), place).map_err(one)?;
        }
        let image = self.config.installer_image(self.node, self.schema);
        let image = image.map_err(|problem| one(self.of_node(problem)))?;
        let place = self.node.place(self.schema, "talosImageURL");
        self.put(legacy, &["machine", "install", "image"], Given::Text(&image), place)
            .map_err(one)?;
        if !self.at_least(12) {
            self.old_network(legacy).map_err(one)?;
            self.kernel_arguments(legacy).map_err(one)?;
        }
        Ok(())
    }

    fn old_network(&self, legacy: &mut Document) -> Result<(), Diagnostic> {
        let (schema, node) = (self.schema, self.node);
        if !node.has(schema, "ignoreHostname") {
            let path = ["machine", "network", "hostname"];
            self.put(legacy, &path, Given::Text(&node.hostname), node.mark)?;
        }
        for (key, name) in [("nameservers", "nameservers"), ("networkInterfaces", "interfaces")] {
            if let Some(list) = self.setting(key).filter(|list| !list.items().is_empty()) {
                self.put(legacy, &["machine", "network", name], self.same(list), list.mark)?;
            }
        }
        if node.has(schema, "disableSearchDomain") {
            let path = ["machine", "network", "disableSearchDomain"];
            self.put(legacy, &path, Given::Flag(true), node.mark)?;
        }
        Ok(())
    }

    /// Before Talos 1.12 the arguments of the schematic's image are repeated for
    /// the boot loader, unless the kernel is started without one.
    fn kernel_arguments(&self, legacy: &mut Document) -> Result<(), Diagnostic> {
        let direct = self.setting("machineSpec").and_then(|spec| spec.flag("useUKI"));
        if direct == Some(true) {
            return Ok(());
        }
        let schematic = self.setting("schematic");
        let customization = schematic.and_then(|schematic| schematic.field("customization"));
        match customization.and_then(|customization| customization.field("extraKernelArgs")) {
            Some(arguments) => {
                let path = ["machine", "install", "extraKernelArgs"];
                self.append(legacy, &path, self.same(arguments), arguments.mark)
            }
            None => Ok(()),
        }
    }

    /// Settings of the whole file.
    pub(super) fn cluster_settings(
        &self,
        documents: &mut Vec<Document>,
    ) -> Result<(), Vec<Diagnostic>> {
        let one = |problem| vec![problem];
        let control_plane = self.node.role == Role::ControlPlane;
        let config = self.config.view(self.schema);
        let given = |key: &str| config.field(key).filter(|value| !value.value.is_zero());
        let list = |key: &str| given(key).filter(|list| !list.items().is_empty());
        let legacy = documents.first_mut().ok_or_else(|| {
            one(self.refused(self.node.mark, "the base has no v1alpha1 document"))
        })?;
        if let Some(names) = list("additionalMachineCertSans") {
            self.put(legacy, &["machine", "certSANs"], self.same(names), names.mark)
                .map_err(one)?;
        }
        let alias = ["allowSchedulingOnMasters", "allowSchedulingOnControlPlanes"];
        if let Some(flag) = alias.iter().find_map(|key| given(key)).filter(|_| control_plane) {
            let key = if self.at_least(2) { alias[1] } else { alias[0] };
            self.put(legacy, &["cluster", key], Given::Flag(true), flag.mark).map_err(one)?;
        }
        let manifests = config.list("inlineManifests");
        if !manifests.is_empty() {
            let path = ["cluster", "inlineManifests"];
            let manifests = self.with_content(&manifests, "contents")?;
            let item = build::item_type(self.profile, legacy.type_id, &path);
            let manifests = self.translated(&manifests, item).map_err(one)?;
            let place = config.place("inlineManifests");
            self.put(legacy, &path, Given::Items(manifests), place).map_err(one)?;
        }
        let kubernetes_documents = self.at_least(14);
        if let (Some(secret), false) = (&self.config.aes_cbc, kubernetes_documents) {
            let path = ["cluster", "aescbcEncryptionSecret"];
            if self.at_least(3) {
                self.put(legacy, &path, Given::Text(secret), self.node.mark).map_err(one)?;
            }
        }
        let names = list("additionalApiServerCertSans").filter(|_| control_plane);
        if kubernetes_documents {
            if let Some(names) = names {
                let message = "`additionalApiServerCertSans` is not part of the Kubernetes documents of Talos 1.14 and later: it is left out, as talhelper does";
                self.warn(names.mark, message);
            }
            return self.kubernetes_documents(documents, config).map_err(one);
        }
        if let Some(names) = names {
            let path = ["cluster", "apiServer", "certSANs"];
            self.append(legacy, &path, self.same(names), names.mark).map_err(one)?;
        }
        for (key, name) in [("clusterPodNets", "podSubnets"), ("clusterSvcNets", "serviceSubnets")]
        {
            if let Some(nets) = list(key) {
                self.put(legacy, &["cluster", "network", name], self.same(nets), nets.mark)
                    .map_err(one)?;
            }
        }
        for (key, name) in [("domain", "dnsDomain"), ("cniConfig", "cni")] {
            if let Some(value) = given(key) {
                self.put(legacy, &["cluster", "network", name], self.same(value), value.mark)
                    .map_err(one)?;
            }
        }
        Ok(())
    }

    fn kubernetes_documents(
        &self,
        documents: &mut Vec<Document>,
        config: View<'j>,
    ) -> Result<(), Diagnostic> {
        let type_of = |kind: &str| self.profile.document(kind).map(|known| known.type_id);
        let network = type_of("KubeNetworkConfig");
        for (key, name) in [
            ("domain", "dnsDomain"),
            ("clusterPodNets", "podSubnets"),
            ("clusterSvcNets", "serviceSubnets"),
        ] {
            let Some(value) = config.field(key).filter(|value| !value.value.is_zero()) else {
                continue;
            };
            let items: Vec<View<'j>> = value.items();
            if matches!(value.value, Value::List(_)) && items.is_empty() {
                continue;
            }
            let found = documents.iter_mut().find(|document| Some(document.type_id) == network);
            let Some(document) = found else {
                return Err(self.refused(value.mark, "the base has no KubeNetworkConfig document"));
            };
            let given = if items.is_empty() {
                self.same(value)
            } else {
                let item = build::item_type(self.profile, document.type_id, &[name]);
                let prefix = |net: &View<'j>| self.made(item, net.as_text(), net.mark);
                Given::Items(items.iter().map(prefix).collect::<Result<_, _>>()?)
            };
            self.put(document, &[name], given, value.mark)?;
        }
        let Some(cni) = config.field("cniConfig") else { return Ok(()) };
        let flannel_kind = type_of("KubeFlannelCNIConfig");
        documents.retain(|document| Some(document.type_id) != flannel_kind);
        match cni.text("name") {
            "flannel" => {
                let mut document = self.document("KubeFlannelCNIConfig", cni.mark)?;
                self.put(&mut document, &["backendType"], Given::Text("vxlan"), cni.mark)?;
                self.put(&mut document, &["backendPort"], Given::Number(4789), cni.mark)?;
                if let Some(flannel) = cni.field("flannel") {
                    for key in ["extraArgs", "kubeNetworkPoliciesEnabled"] {
                        if let Some(value) = flannel.field(key) {
                            self.put(&mut document, &[key], self.same(value), value.mark)?;
                        }
                    }
                }
                documents.push(document);
            }
            "custom" => {
                if let (Some(urls), Some(legacy)) = (cni.field("urls"), documents.first_mut()) {
                    let path = ["cluster", "extraManifests"];
                    self.append(legacy, &path, self.same(urls), urls.mark)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Labels and annotations that are templates, rendered over the document as
    /// it is before any of them.
    pub(super) fn templated_settings(&self, legacy: &mut Document) -> Result<(), Diagnostic> {
        let is_template = |text: &str| text.contains("{{") || text.contains("}}");
        let mut rendered = Vec::new();
        for key in TEMPLATED {
            let Some(setting) = self.setting(key) else { continue };
            if !setting.pairs().iter().any(|(_, value)| is_template(value.as_text())) {
                continue;
            }
            let plain: std::collections::BTreeMap<String, Value> = setting
                .pairs()
                .into_iter()
                .filter(|(_, value)| !is_template(value.as_text()))
                .map(|(name, value)| (name.to_owned(), value.value.clone()))
                .collect();
            rendered.push((*key, setting, plain));
        }
        if rendered.is_empty() {
            return Ok(());
        }
        let map = |document: &mut Document, key: &str, map, mark| {
            build::replace(
                self.profile,
                document.type_id,
                &mut document.value,
                &["machine", key],
                Value::Map(map),
            )
            .map_err(|why| self.refused(mark, why))
        };
        for (key, setting, plain) in &rendered {
            map(legacy, key, plain.clone(), setting.mark)?;
        }
        let before = legacy.clone();
        for (key, setting, mut plain) in rendered {
            for (name, value) in setting.pairs() {
                if is_template(value.as_text()) {
                    let text = self.template(value.as_text(), &before).map_err(|problem| {
                        self.refused(value.mark, format!("`{key}.{name}`: {}", problem.message))
                    })?;
                    plain.insert(name.to_owned(), Value::Text(text));
                }
            }
            map(legacy, key, plain, setting.mark)?;
        }
        Ok(())
    }
}
