//! Where a node's images come from and what its output is called: names made
//! of the schematic's ID, versions and templates. Nothing is asked for them.

use super::{Node, Schema, Talconfig, check};
use crate::diagnostic::Diagnostic;
use crate::template::{Functions, Item, render};

pub(super) const REGISTRY: &str = "factory.talos.dev";
const BOOT_IMAGE: &str = "{{.Protocol}}://{{.RegistryURL}}/image/{{.ID}}/{{.Version}}/{{.Mode}}-{{.Arch}}{{if .Secureboot}}-secureboot{{end}}{{if and .Secureboot .UseUKI}}-uki.efi{{ else }}{{.Suffix}}{{end}}";

impl Talconfig {
    /// The image that installs and upgrades a node, with its version.
    ///
    /// Facts: `pkg/talos/schematic.go` of talhelper v3.1.16.
    ///
    /// # Errors
    /// A template in `imageFactory.installerURLTmpl` that cannot be rendered.
    pub fn installer_image(&self, node: &Node, schema: &Schema) -> Result<String, Diagnostic> {
        let version = &self.talos_version;
        if !node.image.is_empty() {
            return Ok(format!("{}:{version}", node.image));
        }
        let spec = node.setting(schema, "machineSpec");
        let mode = spec.map_or("", |spec| spec.text("mode"));
        let mode = if mode.is_empty() { "metal" } else { mode };
        let secure = spec.and_then(|spec| spec.flag("secureboot")) == Some(true);
        let registry = self.factory(schema, "registryURL", REGISTRY);
        let id = &node.schematic_id;
        let template = self.factory(schema, "installerURLTmpl", "");
        if template.is_empty() {
            let secure = if secure { "-secureboot" } else { "" };
            return Ok(format!("{registry}/{mode}-installer{secure}/{id}:{version}"));
        }
        let data = Item::record([
            ("RegistryURL", Item::text(&registry)),
            ("ID", Item::text(id)),
            ("Version", Item::text(version)),
            ("Mode", Item::text(mode)),
            ("Secureboot", Item::Bool(secure)),
        ]);
        self.filled(schema, "installerURLTmpl", &template, &data)
    }

    /// The address of the image that a node boots from first, `imageSchematic`
    /// in force.
    ///
    /// # Errors
    /// A template in `imageFactory.ISOURLTmpl` that cannot be rendered.
    pub fn boot_image_url(&self, node: &Node, schema: &Schema) -> Result<String, Diagnostic> {
        let spec = node.setting(schema, "machineSpec");
        let text = |key: &str, otherwise: &str| {
            let text = spec.map_or("", |spec| spec.text(key));
            Item::text(if text.is_empty() { otherwise } else { text })
        };
        let flag = |key: &str| Item::Bool(spec.and_then(|spec| spec.flag(key)) == Some(true));
        let suffix = spec.map_or("", |spec| spec.text("imageSuffix"));
        let suffix = if suffix.is_empty() { "iso" } else { suffix };
        let data = Item::record([
            ("BootMethod", text("bootMethod", "iso")),
            ("Suffix", Item::text(format!(".{suffix}"))),
            ("Protocol", Item::text(self.factory(schema, "protocol", "https"))),
            ("RegistryURL", Item::text(self.factory(schema, "registryURL", REGISTRY))),
            ("ID", Item::text(&node.boot_schematic_id)),
            ("Version", Item::text(&self.talos_version)),
            ("Mode", text("mode", "metal")),
            ("Arch", text("arch", "amd64")),
            ("Secureboot", flag("secureboot")),
            ("UseUKI", flag("useUKI")),
        ]);
        let template = self.factory(schema, "ISOURLTmpl", BOOT_IMAGE);
        self.filled(schema, "ISOURLTmpl", &template, &data)
    }

    /// The name of a node's output, `CLUSTER-HOSTNAME.yaml` unless
    /// `filenameTmpl` says otherwise.
    ///
    /// # Errors
    /// A template that cannot be rendered, or a name that leaves its folder.
    pub fn output_name(&self, node: &Node, schema: &Schema) -> Result<String, Diagnostic> {
        if node.filename_template.is_empty() {
            return Ok(format!("{}-{}.yaml", self.cluster_name, node.hostname));
        }
        let data = Item::record([
            ("ClusterName", Item::text(&self.cluster_name)),
            ("Hostname", Item::text(&node.hostname)),
            ("IPAddress", Item::text(node.addresses.join(","))),
            ("Role", Item::text(node.role.as_str())),
        ]);
        let mark = node.place(schema, "filenameTmpl");
        let refused = |why: String| {
            check::problem(
                &self.file,
                mark,
                format!("`filenameTmpl` of `{}`: {why}", node.hostname),
            )
        };
        let name = render(&node.filename_template, &data, Functions::Builtin)
            .map_err(|problem| refused(problem.message))?;
        match super::path::within("", &name) {
            Ok(inside) if inside == name => Ok(name),
            Ok(_) => Err(refused(format!("`{name}` is no plain file name"))),
            Err(why) => Err(refused(why)),
        }
    }

    fn factory(&self, schema: &Schema, key: &str, otherwise: &str) -> String {
        let text = self.view(schema).field("imageFactory").map_or("", |factory| factory.text(key));
        if text.is_empty() { otherwise } else { text }.to_owned()
    }

    fn filled(
        &self,
        schema: &Schema,
        key: &str,
        template: &str,
        data: &Item<'_>,
    ) -> Result<String, Diagnostic> {
        render(template, data, Functions::Sprig).map_err(|problem| {
            let factory = self.view(schema).field("imageFactory");
            let mark = factory.map_or_else(Default::default, |factory| factory.place(key));
            check::problem(&self.file, mark, format!("`imageFactory.{key}`: {}", problem.message))
        })
    }
}
