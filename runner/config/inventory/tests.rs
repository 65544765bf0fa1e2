//! What an inventory file may say, and how each mistake in it is told.

use super::*;

const HOME: &str = r#"
endpoint = "https://10.20.30.10:6443"
versions = { talos = "v1.13.0", kubernetes = "v1.36.0" }
pod_cidrs = ["10.244.0.0/16", "fd00:10:244::/56"]
load_balancer = { pools = ["10.20.30.100-10.20.30.150"], static = { gateway = "10.20.30.120" } }
guards = { grant_ttl = "10m", approvals = 1 }
settings = { replicas = 3 }
nodes.w-1 = { role = "worker", address = "10.20.30.21", tags = ["storage"], install_disk = { serial = "S5" } }
nodes.cp-1 = { role = "controlplane", address = "10.20.30.11" }
recipes."talos:reboot" = { nodes = "workers" }
"#;

fn parse(text: &str) -> Result<Inventory, Fault> {
    let env = super::super::Environment::default();
    let outside = Outside::new(std::path::Path::new("/nowhere"), &env, &super::super::Sealed);
    read(&Source { name: "clusters/home.toml".into(), text: text.into() }, "home", &outside)
}

#[test]
fn a_self_contained_inventory_is_read_in_the_order_of_the_file() {
    let read = parse(HOME).unwrap();
    let cluster = read.cluster;
    let names: Vec<&str> = cluster.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["w-1", "cp-1"]);
    assert_eq!(cluster.context, "home");
    assert_eq!(cluster.nodes[0].tags, ["storage"]);
    assert_eq!(cluster.guards.grant_ttl, Some(Span::mins(10)));
    assert_eq!(cluster.settings["replicas"], 3);
    assert_eq!(cluster.kubeconfig, "kubeconfig");
    assert_eq!(cluster.talosconfig, "clusterconfig/talosconfig");
    assert_eq!(cluster.secrets, "talsecret.yaml");
    assert_eq!(read.recipes.get("talos:reboot", "nodes").unwrap().value, "workers");
}

/// The inventory above with one text replaced, and the error that it gives: text and marked words.
fn mistake(from: &str, to: &str) -> String {
    assert!(HOME.contains(from), "{from}");
    let fault = parse(&HOME.replacen(from, to, 1)).unwrap_err();
    let place = fault.place.as_ref().unwrap();
    let marked: String = place
        .text
        .as_deref()
        .unwrap()
        .chars()
        .skip((place.column as usize).saturating_sub(1))
        .take(place.length as usize)
        .collect();
    let mut out =
        format!("{} {}:{} «{marked}» {}", fault.code, place.line, place.column, fault.title);
    for help in &fault.help {
        out.push_str(&format!(" | {help}"));
    }
    out
}

#[test]
fn each_mistake_is_told_with_its_place() {
    let rows = [
        (
            "endpoint =",
            "endpont =",
            "OPS0202 2:1 «endpont» unknown key `endpont` | did you mean `endpoint`?",
        ),
        (
            "role = \"worker\"",
            "role = \"workr\"",
            "OPS0202 8:22 «\"workr\"» unknown word `workr` | did you mean `worker`?",
        ),
        (
            "role = \"worker\", ",
            "",
            "OPS0202 8:7 «w-1» node `w-1` has no `role` | role = \"controlplane\" or role = \"worker\"",
        ),
        (
            "address = \"10.20.30.21\"",
            "adress = \"10.20.30.21\"",
            "OPS0202 8:32 «adress» unknown key `adress` | did you mean `address`?",
        ),
        (
            "10.20.30.21",
            "10.20.30.11",
            "OPS0202 9:49 «\"10.20.30.11\"» nodes `w-1` and `cp-1` have one address",
        ),
        (
            "10.20.30.21",
            "10.20.30.21:50000",
            "OPS0202 8:42 «\"10.20.30.21:50000\"» `10.20.30.21:50000` has a port: write the address alone",
        ),
        ("nodes.cp-1", "nodes.w-1", "OPS0201 9:7 «w-1» duplicate key"),
        (
            "role = \"controlplane\"",
            "role = \"worker\"",
            "OPS0202 1:0 «» the cluster has no control plane | nodes.cp-1 = { role = \"controlplane\", address = \"10.20.30.11\" }",
        ),
        (
            "nodes.cp-1",
            "nodes.workers",
            "OPS0202 9:7 «workers» a node cannot be called `workers`: the word selects several",
        ),
        (
            "nodes.cp-1",
            "nodes.CP-1",
            "OPS0202 9:7 «CP-1» `CP-1` is no host name: lower-case letters, digits, `-` and `.`",
        ),
        (
            "10.244.0.0/16",
            "10.244.0.0/33",
            "OPS0202 4:14 «\"10.244.0.0/33\"» `10.244.0.0/33` is no network: the prefix is at most 32",
        ),
        (
            "https://10",
            "http://10",
            "OPS0202 2:12 «\"http://10.20.30.10:6443\"» `http://10.20.30.10:6443` is no https URL such as \"https://10.20.30.10:6443\"",
        ),
        ("v1.13.0", "1.13", "OPS0202 3:22 «\"1.13\"» `1.13` is no version such as \"v1.13.0\""),
        ("\"10m\"", "\"1h\"", "OPS0202 6:24 «\"1h\"» `grant_ttl` is at most 15m"),
        (
            "\"10m\"",
            "\"soon\"",
            "OPS0202 6:24 «\"soon\"» `soon` is not a duration such as \"90s\", \"5m\" or \"1h30m\"",
        ),
        (
            "{ serial = \"S5\" }",
            "{}",
            "OPS0202 8:92 «{}» an install disk is recognised by something | give `serial`, `wwid` or `device`",
        ),
        (
            "\"storage\"",
            "\"a b\"",
            "OPS0202 8:65 «\"a b\"» `a b` is no tag: letters, digits, `-`, `_`, `.` and `/`",
        ),
        (
            "30.100-10.20.30.150",
            "30.150-10.20.30.100",
            "OPS0202 5:28 «\"10.20.30.150-10.20.30.100\"» `10.20.30.150-10.20.30.100` runs backwards",
        ),
        (
            "settings =",
            "secrets = \"/etc/x\"\nsettings =",
            "OPS0202 7:11 «\"/etc/x\"» `/etc/x` is absolute: write it relative to the repository's root",
        ),
        (
            "settings =",
            "talconfig = \"talconfig.yaml\"\nsettings =",
            "OPS0202 7:13 «\"talconfig.yaml\"» there is no file `talconfig.yaml`",
        ),
        (
            "tags = [",
            "patches = [1], tags = [",
            "OPS0202 8:68 «1» a patch is no integer | name a file, or write the patch itself: a text, a table, a list",
        ),
        (
            "settings =",
            "patches = [\"../x.yaml\"]\nsettings =",
            "OPS0202 7:12 «\"../x.yaml\"» `../x.yaml` leaves the repository",
        ),
        (
            "settings =",
            "worker = { patch = [] }\nsettings =",
            "OPS0202 7:12 «patch» unknown key `patch` | did you mean `patches`?",
        ),
        (
            "settings =",
            "owners = { gitops = [\"k/**\"] }\nsettings =",
            "OPS0199 7:10 «{ gitops = [\"k/**\"] }» the guard `owner` is not supported yet",
        ),
        (
            "settings =",
            "storage = { role = \"provider\" }\nsettings =",
            "OPS0199 7:20 «\"provider\"» evidence about storage is not supported yet",
        ),
    ];
    for (from, to, expected) in rows {
        assert_eq!(mistake(from, to), expected, "{from} → {to}");
    }
}

#[test]
fn an_empty_inventory_says_what_it_needs() {
    let fault = parse("").unwrap_err();
    assert_eq!(fault.title, "the cluster has no nodes");
    assert_eq!(fault.place.unwrap().to_string(), "clusters/home.toml:1");
}
