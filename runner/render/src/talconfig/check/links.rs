//! What a node's interfaces say, as Talos checks them.

use std::collections::BTreeMap;

use super::Findings;
use super::words::{is_address, is_address_or_prefix, is_prefix, is_wireguard_key};
use crate::talconfig::view::View;

pub(super) fn check(findings: &mut Findings<'_>, devices: &[View<'_>]) {
    // Which interface belongs to which bond or bridge.
    let mut members: BTreeMap<&str, &str> = BTreeMap::new();
    for device in devices {
        for (kind, key) in [("bond", "interfaces"), ("bridge", "interfaces")] {
            let Some(group) = device.field(kind) else { continue };
            for link in group.list(key) {
                let name = link.as_text();
                let owner = device.text("interface");
                let other = members.insert(name, owner);
                findings.need(other.is_none_or(|other| other == owner), link.mark, || {
                    format!("`{name}` belongs to `{}` already", other.unwrap_or_default())
                });
            }
        }
    }
    for device in devices.iter().filter(|device| device.flag("ignore") != Some(true)) {
        one(findings, *device, &members);
    }
}

fn one(findings: &mut Findings<'_>, device: View<'_>, members: &BTreeMap<&str, &str>) {
    let name = device.text("interface");
    let selector = device.field("deviceSelector");
    match (name.is_empty(), selector) {
        (true, None) => {
            findings.add(device.mark, "the interface needs `interface` or `deviceSelector`");
        }
        (false, Some(selector)) => {
            findings.add(selector.mark, "`interface` and `deviceSelector` exclude each other");
        }
        (_, Some(selector)) if selector.value.is_zero() => {
            findings.add(selector.mark, "the `deviceSelector` selects nothing");
        }
        _ => {}
    }
    if let (Some(_), Some(bridge)) = (device.field("bond"), device.field("bridge")) {
        findings.add(bridge.mark, "`bond` and `bridge` exclude each other");
    }
    addresses(findings, device);
    let old = device.text("cidr");
    findings.need(old.is_empty(), device.place("cidr"), || {
        format!("`cidr` is gone from Talos; write `addresses: [{old}]`")
    });
    let addressed = device.flag("dhcp") == Some(true)
        || !device.list("addresses").is_empty()
        || device.field("vip").is_some();
    findings.need(!(addressed && members.contains_key(name)), device.mark, || {
        format!("`{name}` belongs to `{}`, which has the addresses", members[name])
    });
    if let Some(vip) = device.field("vip") {
        let ip = vip.text("ip");
        findings.need(is_address(ip), vip.place("ip"), || format!("`{ip}` is no IP address"));
    }
    routes(findings, device);
    for vlan in device.list("vlans") {
        addresses(findings, vlan);
        routes(findings, vlan);
    }
    if let Some(bond) = device.field("bond") {
        aggregate(findings, bond);
    }
    if let Some(wireguard) = device.field("wireguard") {
        tunnel(findings, wireguard);
    }
}

fn addresses(findings: &mut Findings<'_>, view: View<'_>) {
    let old = view.text("cidr");
    findings.need(old.is_empty() || view.list("addresses").is_empty(), view.place("cidr"), || {
        "`cidr` and `addresses` exclude each other".to_owned()
    });
    findings.need(old.is_empty() || is_address_or_prefix(old), view.place("cidr"), || {
        format!("`{old}` is no address like 10.0.0.5/24")
    });
    for address in view.list("addresses") {
        let text = address.as_text();
        findings.need(is_address_or_prefix(text), address.mark, || {
            format!("`{text}` is no address like 10.0.0.5/24")
        });
    }
}

fn routes(findings: &mut Findings<'_>, view: View<'_>) {
    for route in view.list("routes") {
        let network = route.text("network");
        findings.need(network.is_empty() || is_prefix(network), route.place("network"), || {
            format!("`{network}` is no network like 10.0.0.0/8")
        });
        for key in ["gateway", "source"] {
            let text = route.text(key);
            findings.need(text.is_empty() || is_address(text), route.place(key), || {
                format!("`{text}` is no IP address")
            });
        }
        let says = !network.is_empty() || !route.text("gateway").is_empty();
        findings.need(says, route.mark, || "a route needs `network` or `gateway`".to_owned());
    }
}

fn aggregate(findings: &mut Findings<'_>, bond: View<'_>) {
    let both = !bond.list("interfaces").is_empty() && !bond.list("deviceSelectors").is_empty();
    findings.need(!both, bond.place("deviceSelectors"), || {
        "`interfaces` and `deviceSelectors` exclude each other".to_owned()
    });
    let every = bond.number("miimon");
    for key in ["updelay", "downdelay"] {
        let delay = bond.number(key);
        let fits = if every == 0 { delay == 0 } else { delay % every == 0 };
        findings.need(fits, bond.place(key), || {
            format!("`{key}` must be a multiple of `miimon`, which is {every}")
        });
    }
    let mode = match bond.text("mode") {
        "" => "balance-rr",
        mode => mode,
    };
    let balances = ["balance-tlb", "balance-alb"].contains(&mode);
    let lacp = mode == "802.3ad";
    for (key, allowed) in [
        ("lacpRate", lacp),
        ("adActorSysPrio", lacp),
        ("adUserPortKey", lacp),
        ("arpValidate", !lacp && !balances),
        ("arpInterval", !lacp && !balances),
        ("primary", mode == "active-backup" || balances),
        ("tlbDynamicLb", balances),
    ] {
        let given = bond.field(key).is_some_and(|value| !value.value.is_zero());
        findings.need(allowed || !given, bond.place(key), || {
            format!("`{key}` means nothing for a bond of mode {mode}")
        });
    }
    let packets = bond.number("packetsPerSlave");
    findings.need(mode == "balance-rr" || packets <= 1, bond.place("packetsPerSlave"), || {
        format!("`packetsPerSlave` means nothing for a bond of mode {mode}")
    });
    for key in ["arpIPTarget", "adActorSystem"] {
        let given = bond.field(key).is_some_and(|value| match value.items()[..] {
            [] => !value.as_text().is_empty(),
            _ => true,
        });
        findings.need(!given, bond.place(key), || format!("Talos knows no `{key}` of a bond here"));
    }
}

fn tunnel(findings: &mut Findings<'_>, wireguard: View<'_>) {
    let key = wireguard.text("privateKey");
    findings.need(is_wireguard_key(key), wireguard.place("privateKey"), || {
        "`privateKey` is no key of WireGuard: 32 bytes in base64".to_owned()
    });
    for peer in wireguard.list("peers") {
        findings.need(is_wireguard_key(peer.text("publicKey")), peer.place("publicKey"), || {
            "`publicKey` is no key of WireGuard: 32 bytes in base64".to_owned()
        });
        let endpoint = peer.text("endpoint");
        let port = endpoint
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        findings.need(endpoint.is_empty() || port, peer.place("endpoint"), || {
            format!("`{endpoint}` is no endpoint with a port")
        });
        for net in peer.list("allowedIPs") {
            let text = net.as_text();
            findings.need(is_prefix(text), net.mark, || {
                format!("`{text}` is no network like 10.0.0.0/8")
            });
        }
    }
}
