//! The documents beside v1alpha1 that a node's settings make, in talhelper's
//! order. Facts: `pkg/talos/multidocs.go` of talhelper v3.1.16.

use super::build::{self, Given};
use super::render::Job;
use super::view::View;
use crate::diagnostic::Diagnostic;
use crate::patch::Document;

/// Lists whose items are documents each: setting, kind, keys taken over.
const LISTS: &[(&str, &str, &[&str])] = &[
    ("extensionServices", "ExtensionServiceConfig", &["name", "configFiles", "environment"]),
    ("volumes", "VolumeConfig", &["name", "provisioning", "encryption"]),
    (
        "userVolumes",
        "UserVolumeConfig",
        &["name", "volumeType", "provisioning", "filesystem", "encryption"],
    ),
];

impl<'j> Job<'j> {
    pub(super) fn documents(&self) -> Result<Vec<Document>, Diagnostic> {
        let mut out = Vec::new();
        if self.at_least(12) {
            out.extend(self.resolver()?);
            out.push(self.hostname()?);
        }
        if let Some(firewall) = self.setting("ingressFirewall") {
            let mut document = self.document("NetworkDefaultActionConfig", firewall.mark)?;
            if let Some(action) = firewall.field("defaultAction") {
                self.put(&mut document, &["ingress"], self.same(action), action.mark)?;
            }
            out.push(document);
            for rule in firewall.list("rules") {
                out.push(self.taken(
                    "NetworkRuleConfig",
                    rule,
                    &["name", "portSelector", "ingress"],
                )?);
            }
        }
        for (setting, kind, keys) in LISTS {
            for item in self.node.items(self.schema, setting) {
                out.push(self.taken(kind, item, keys)?);
            }
        }
        if self.at_least(12) {
            out.extend(self.links()?);
        }
        Ok(out)
    }

    fn resolver(&self) -> Result<Option<Document>, Diagnostic> {
        let servers = self.node.items(self.schema, "nameservers");
        let disabled = self.node.has(self.schema, "disableSearchDomain");
        if servers.is_empty() && !disabled {
            return Ok(None);
        }
        let place = self.node.place(self.schema, "nameservers");
        let mut document = self.document("ResolverConfig", place)?;
        let item = build::item_type(self.profile, document.type_id, &["nameservers"]);
        let item = self.known(item, place)?;
        let server = |server: &View<'_>| {
            let keys = vec![("address", Given::Text(server.as_text()))];
            build::structure(self.profile, item, keys).map_err(|why| self.refused(server.mark, why))
        };
        let servers = servers.iter().map(server).collect::<Result<_, _>>()?;
        self.put(&mut document, &["nameservers"], Given::Items(servers), place)?;
        let path = ["searchDomains", "disableDefault"];
        self.put(&mut document, &path, Given::Flag(disabled), place)?;
        Ok(Some(document))
    }

    fn hostname(&self) -> Result<Document, Diagnostic> {
        let mark = self.node.mark;
        let mut document = self.document("HostnameConfig", mark)?;
        let stable = self.node.has(self.schema, "ignoreHostname");
        let auto = Given::Text(if stable { "stable" } else { "off" });
        self.put(&mut document, &["auto"], auto, mark)?;
        if !stable {
            self.put(&mut document, &["hostname"], Given::Text(&self.node.hostname), mark)?;
        }
        Ok(document)
    }

    /// A document with the keys that an item has too.
    fn taken(&self, kind: &str, item: View<'j>, keys: &[&str]) -> Result<Document, Diagnostic> {
        let mut document = self.document(kind, item.mark)?;
        for key in keys {
            if let Some(field) = item.field(key) {
                self.put(&mut document, &[key], self.same(field), field.mark)?;
            }
        }
        Ok(document)
    }
}
