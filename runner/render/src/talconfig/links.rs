//! `networkInterfaces` as the documents that Talos 1.12 and later have for
//! them, in talhelper's order. What these documents have no place for is
//! warned about.

use super::build::{self, Given};
use super::render::Job;
use super::view::View;
use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::profile::TypeId;
use crate::machinery::value::Value;
use crate::patch::Document;

/// Settings of a bond that its document takes over, and their names there.
const BOND_NAMES: &[(&str, &str)] = &[
    ("mode", "bondMode"),
    ("xmitHashPolicy", "xmitHashPolicy"),
    ("lacpRate", "lacpRate"),
    ("arpValidate", "arpValidate"),
    ("arpAllTargets", "arpAllTargets"),
    ("primaryReselect", "primaryReselect"),
    ("failOverMac", "failOverMac"),
    ("adSelect", "adSelect"),
];

const BOND_NUMBERS: &[(&str, &str)] = &[
    ("miimon", "miimon"),
    ("updelay", "updelay"),
    ("downdelay", "downdelay"),
    ("arpInterval", "arpInterval"),
    ("resendIgmp", "resendIGMP"),
    ("minLinks", "minLinks"),
    ("lpInterval", "lpInterval"),
    ("packetsPerSlave", "packetsPerSlave"),
    ("numPeerNotif", "numPeerNotif"),
    ("tlbDynamicLb", "tlbLogicalLb"),
    ("allSlavesActive", "allSlavesActive"),
    ("adActorSysPrio", "adActorSysPrio"),
    ("adUserPortKey", "adUserPortKey"),
    ("peerNotifyDelay", "peerNotifDelay"),
];

/// Settings that no document has a place for.
const NOWHERE: &[&[&str]] = &[
    &["bridgePort"],
    &["ignore"],
    &["dummy"],
    &["bond", "primary"],
    &["dhcpOptions", "duidv6"],
    &["vip", "equinixMetal"],
    &["vip", "hcloud"],
];

/// An interface and the name that it has or is given.
struct Device<'j> {
    view: View<'j>,
    name: String,
}

impl<'j> Job<'j> {
    /// The documents of all interfaces of the node.
    pub(super) fn links(&self) -> Result<Vec<Document>, Diagnostic> {
        let devices = named(&self.node.items(self.schema, "networkInterfaces"));
        let mut out = Vec::new();
        for device in &devices {
            self.warn_of_nowhere(device);
            if let Some(selector) = device.view.field("deviceSelector") {
                out.extend(self.alias(&device.name, selector)?);
            }
        }
        for device in &devices {
            let Some(bond) = device.view.field("bond") else { continue };
            for (at, selector) in bond.list("deviceSelectors").into_iter().enumerate() {
                out.extend(self.alias(&member(&device.name, at), selector)?);
            }
        }
        for device in &devices {
            if let Some(bond) = device.view.field("bond") {
                out.push(self.bond(device, bond)?);
            }
        }
        for device in &devices {
            if device.view.flag("dhcp") == Some(true) {
                out.extend(self.dhcp(&device.name, device.view)?);
            }
        }
        for device in &devices {
            let vip = device.view.field("vip").filter(|vip| !vip.text("ip").is_empty());
            if let Some(vip) = vip {
                out.push(self.vip(&device.name, vip)?);
            }
        }
        for device in &devices {
            let special = ["bond", "bridge", "wireguard"];
            let plain = special.iter().all(|key| device.view.field(key).is_none());
            let says = ["addresses", "routes"].iter().any(|key| !device.view.list(key).is_empty())
                || device.view.number("mtu") > 0;
            if plain && says {
                let mut document = self.link_document("LinkConfig", &device.name, device.view)?;
                self.common(&mut document, device.view)?;
                out.push(document);
            }
        }
        for device in &devices {
            for vlan in device.view.list("vlans") {
                out.extend(self.vlan(device, vlan)?);
            }
        }
        for device in &devices {
            if let Some(wireguard) = device.view.field("wireguard") {
                out.push(self.wireguard(device, wireguard)?);
            }
        }
        for device in &devices {
            if let Some(bridge) = device.view.field("bridge") {
                out.push(self.bridge(device, bridge)?);
            }
        }
        Ok(out)
    }

    fn warn_of_nowhere(&self, device: &Device<'_>) {
        let mut dropped: Vec<(String, Mark)> = Vec::new();
        for path in NOWHERE {
            let found = path.iter().try_fold(device.view, |view, key| view.field(key));
            if let Some(found) = found.filter(|found| !found.value.is_zero()) {
                dropped.push((path.join("."), found.mark));
            }
        }
        for vlan in device.view.list("vlans") {
            for path in [
                &["cidr"][..],
                &["dhcpOptions", "duidv6"],
                &["vip", "equinixMetal"],
                &["vip", "hcloud"],
            ] {
                let found = path.iter().try_fold(vlan, |view, key| view.field(key));
                if let Some(found) = found.filter(|found| !found.value.is_zero()) {
                    dropped.push((format!("vlans.{}", path.join(".")), found.mark));
                }
            }
        }
        for (what, mark) in dropped {
            let message = format!(
                "`{what}` of `{}` has no place in the network documents of Talos 1.12 and later: it is left out, as talhelper does",
                device.name
            );
            self.warn(mark, message);
        }
    }

    fn link_document(
        &self,
        kind: &str,
        name: &str,
        view: View<'_>,
    ) -> Result<Document, Diagnostic> {
        let mut document = self.document(kind, view.mark)?;
        self.put(&mut document, &["name"], Given::Text(name), view.mark)?;
        Ok(document)
    }

    /// A name for what a selector finds; none for a selector that says nothing.
    fn alias(&self, name: &str, selector: View<'_>) -> Result<Option<Document>, Diagnostic> {
        let mut conditions = Vec::new();
        for (key, found) in [
            ("hardwareAddr", "mac(link.hardware_addr)"),
            ("permanentAddr", "mac(link.permanent_addr)"),
            ("busPath", "link.bus_path"),
            ("driver", "link.driver"),
            ("pciID", "link.pciid"),
        ] {
            let text = selector.text(key);
            if text.contains(['"', '\\', '\n']) {
                let message = format!(
                    "`{text}` cannot be looked for: quotes and backslashes end the expression"
                );
                return Err(self.refused(selector.place(key), message));
            }
            if !text.is_empty() {
                conditions.push(format!("glob(\"{text}\", {found})"));
            }
        }
        match selector.flag("physical") {
            Some(true) => conditions.push("link.type == 1".to_owned()),
            Some(false) => conditions.push("link.type != 1".to_owned()),
            None => {}
        }
        if conditions.is_empty() {
            return Ok(None);
        }
        let mut document = self.link_document("LinkAliasConfig", name, selector)?;
        let expression = conditions.join(" && ");
        let path = ["selector", "match"];
        self.put(&mut document, &path, Given::Text(&expression), selector.mark)?;
        Ok(Some(document))
    }

    fn bond(&self, device: &Device<'j>, bond: View<'j>) -> Result<Document, Diagnostic> {
        let mut document = self.link_document("BondConfig", &device.name, device.view)?;
        let mut links: Vec<Value> =
            bond.list("interfaces").iter().map(|l| l.value.clone()).collect();
        for at in 0..bond.list("deviceSelectors").len() {
            links.push(Value::Text(member(&device.name, at)));
        }
        if !links.is_empty() {
            self.put(&mut document, &["links"], Given::Items(links), bond.mark)?;
        }
        for (key, name) in BOND_NAMES {
            let text = bond.text(key);
            if !text.is_empty() {
                self.put(&mut document, &[name], Given::Text(text), bond.place(key))?;
            }
        }
        for (key, name) in BOND_NUMBERS {
            let number = bond.number(key);
            if number > 0 {
                self.put(&mut document, &[name], Given::Number(number), bond.place(key))?;
            }
        }
        if let Some(flag) = bond.flag("useCarrier") {
            self.put(&mut document, &["useCarrier"], Given::Flag(flag), bond.mark)?;
        }
        self.common(&mut document, device.view)?;
        Ok(document)
    }

    /// Without options it is IPv4 alone.
    fn dhcp(&self, name: &str, device: View<'j>) -> Result<Vec<Document>, Diagnostic> {
        let options = device.field("dhcpOptions");
        let flag = |key: &str| options.and_then(|options| options.flag(key));
        let metric = options.map_or(0, |options| options.number("routeMetric"));
        let mut out = Vec::new();
        for (kind, wanted) in [
            ("DHCPv4Config", flag("ipv4").unwrap_or(true)),
            ("DHCPv6Config", flag("ipv6").unwrap_or(false)),
        ] {
            if wanted {
                let mut document = self.link_document(kind, name, device)?;
                self.put(&mut document, &["routeMetric"], Given::Number(metric), device.mark)?;
                out.push(document);
            }
        }
        Ok(out)
    }

    fn vip(&self, link: &str, vip: View<'_>) -> Result<Document, Diagnostic> {
        let mut document = self.link_document("Layer2VIPConfig", vip.text("ip"), vip)?;
        self.put(&mut document, &["link"], Given::Text(link), vip.mark)?;
        Ok(document)
    }

    fn vlan(&self, device: &Device<'j>, vlan: View<'j>) -> Result<Vec<Document>, Diagnostic> {
        let id = vlan.number("vlanId");
        if id == 0 {
            return Ok(Vec::new());
        }
        let name = format!("{}.{id}", device.name);
        let mut document = self.link_document("VLANConfig", &name, vlan)?;
        self.put(&mut document, &["vlanID"], Given::Number(id), vlan.mark)?;
        self.put(&mut document, &["parent"], Given::Text(&device.name), vlan.mark)?;
        self.common(&mut document, vlan)?;
        let mut out = vec![document];
        if vlan.flag("dhcp") == Some(true) {
            out.extend(self.dhcp(&name, vlan)?);
        }
        if let Some(vip) = vlan.field("vip") {
            out.push(self.vip(&name, vip)?);
        }
        Ok(out)
    }

    fn wireguard(&self, device: &Device<'j>, wireguard: View<'j>) -> Result<Document, Diagnostic> {
        let mut document = self.link_document("WireguardConfig", &device.name, device.view)?;
        let key = wireguard.text("privateKey");
        self.put(&mut document, &["privateKey"], Given::Text(key), wireguard.place("privateKey"))?;
        for key in ["listenPort", "firewallMark"] {
            let number = Given::Number(wireguard.number(key).max(0));
            self.put(&mut document, &[key], number, wireguard.place(key))?;
        }
        let peers = wireguard.list("peers");
        let item = build::item_type(self.profile, document.type_id, &["peers"]);
        let peers =
            peers.into_iter().map(|peer| self.peer(item, peer)).collect::<Result<_, _>>()?;
        self.put(&mut document, &["peers"], Given::Items(peers), wireguard.mark)?;
        self.common(&mut document, device.view)?;
        Ok(document)
    }

    fn peer(&self, item: Option<TypeId>, peer: View<'j>) -> Result<Value, Diagnostic> {
        let item = self.known(item, peer.mark)?;
        let mut endpoint = peer.text("endpoint");
        if crate::machinery::address::address_and_port(endpoint).is_err() && !endpoint.is_empty() {
            let message = format!(
                "the endpoint `{endpoint}` is no address with a port, which the network documents of Talos 1.12 and later need: it is left out, as talhelper does"
            );
            self.warn(peer.place("endpoint"), message);
            endpoint = "";
        }
        let prefixes = build::item_type(self.profile, item, &["allowedIPs"]);
        let allowed = peer.list("allowedIPs");
        let allowed = allowed.iter().map(|net| self.made(prefixes, net.as_text(), net.mark));
        let keepalive = peer.number("persistentKeepaliveInterval").max(0);
        let keys = vec![
            ("publicKey", Given::Text(peer.text("publicKey"))),
            ("endpoint", Given::Text(endpoint)),
            ("persistentKeepaliveInterval", Given::Number(keepalive)),
            ("allowedIPs", Given::Items(allowed.collect::<Result<_, _>>()?)),
        ];
        build::structure(self.profile, item, keys).map_err(|why| self.refused(peer.mark, why))
    }

    fn bridge(&self, device: &Device<'j>, bridge: View<'j>) -> Result<Document, Diagnostic> {
        let mut document = self.link_document("BridgeConfig", &device.name, device.view)?;
        if let Some(links) = bridge.field("interfaces") {
            self.put(&mut document, &["links"], self.same(links), links.mark)?;
        }
        if let Some(flag) = bridge.field("stp").and_then(|stp| stp.flag("enabled")) {
            self.put(&mut document, &["stp", "enabled"], Given::Flag(flag), bridge.mark)?;
        }
        if bridge.field("vlan").and_then(|vlan| vlan.flag("vlanFiltering")) == Some(true) {
            self.put(&mut document, &["vlan", "filtering"], Given::Flag(true), bridge.mark)?;
        }
        self.common(&mut document, device.view)?;
        Ok(document)
    }

    /// Addresses, routes and MTU, which every link may have.
    fn common(&self, document: &mut Document, view: View<'j>) -> Result<(), Diagnostic> {
        let addresses = view.list("addresses");
        if !addresses.is_empty() {
            let item = build::item_type(self.profile, document.type_id, &["addresses"]);
            let address = |address: &View<'_>| {
                let item = self.known(item, address.mark)?;
                let text = with_length(address.as_text());
                build::structure(self.profile, item, vec![("address", Given::Text(&text))])
                    .map_err(|why| self.refused(address.mark, why))
            };
            let made = addresses.iter().map(address).collect::<Result<_, _>>()?;
            self.put(document, &["addresses"], Given::Items(made), view.mark)?;
        }
        let routes = view.list("routes");
        if !routes.is_empty() {
            let item = build::item_type(self.profile, document.type_id, &["routes"]);
            let made = routes.into_iter().map(|route| self.route(item, route));
            let made = Given::Items(made.collect::<Result<_, _>>()?);
            self.put(document, &["routes"], made, view.mark)?;
        }
        let mtu = view.number("mtu");
        if mtu > 0 {
            self.put(document, &["mtu"], Given::Number(mtu), view.place("mtu"))?;
        }
        Ok(())
    }

    /// The default route has no destination: its gateway tells the family.
    fn route(&self, item: Option<TypeId>, route: View<'_>) -> Result<Value, Diagnostic> {
        let item = self.known(item, route.mark)?;
        let refused = |key: &str, why: String| self.refused(route.place(key), why);
        let mut network = route.text("network").to_owned();
        if !network.is_empty() {
            network = crate::machinery::address::prefix(&network)
                .map_err(|why| refused("network", why))?;
        }
        if network == "0.0.0.0/0" || network == "::/0" {
            network.clear();
        }
        let mut value = Value::zero(self.profile, item);
        for (key, name, text) in [
            ("network", "destination", network.as_str()),
            ("gateway", "gateway", route.text("gateway")),
            ("source", "source", route.text("source")),
        ] {
            build::put(self.profile, item, &mut value, &[name], Given::Text(text))
                .map_err(|why| refused(key, why))?;
        }
        for key in ["metric", "mtu"] {
            let number = Given::Number(route.number(key));
            build::put(self.profile, item, &mut value, &[key], number)
                .map_err(|why| refused(key, why))?;
        }
        Ok(value)
    }
}

fn member(bond: &str, at: usize) -> String {
    format!("{bond}-m{at}")
}

/// Names for interfaces that have a selector only: the first free number of
/// what they are.
fn named<'j>(views: &[View<'j>]) -> Vec<Device<'j>> {
    let taken = |name: &str, made: &[Device<'_>]| {
        views.iter().any(|view| view.text("interface") == name)
            || made.iter().any(|device| device.name == name)
    };
    let mut next = std::collections::BTreeMap::new();
    let mut out: Vec<Device<'j>> = Vec::new();
    for view in views {
        let mut name = view.text("interface").to_owned();
        if name.is_empty() && view.field("deviceSelector").is_some() {
            let kinds = [("bond", "bond"), ("bridge", "br"), ("wireguard", "wg")];
            let kind = kinds.iter().find(|(key, _)| view.field(key).is_some());
            let prefix = kind.map_or("ethSel", |(_, prefix)| prefix);
            let count = next.entry(prefix).or_insert(0usize);
            loop {
                name = format!("{prefix}{count}");
                *count += 1;
                if !taken(&name, &out) {
                    break;
                }
            }
        }
        out.push(Device { view: *view, name });
    }
    out
}

/// An address without a length stands for itself alone.
fn with_length(address: &str) -> String {
    match (address.contains('/'), address.contains(':')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("{address}/128"),
        (false, false) => format!("{address}/32"),
    }
}
