//! Official extensions and overlays of a node's image, by Talos release.

#![allow(clippy::unwrap_used)]

use ops_render::Source;
use ops_render::talconfig::{Schema, Talconfig, Variables};

fn findings(version: &str, rest: &str, setting: &str) -> Vec<(String, String)> {
    let text = format!(
        "clusterName: demo\ntalosVersion: {version}\nkubernetesVersion: v1.31.0\nendpoint: https://10.0.0.10:6443\n{rest}nodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n{setting}"
    );
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    let found = Talconfig::read(source, &Schema::load().unwrap(), &Variables::new());
    let shown = |p: &ops_render::Diagnostic| {
        (format!("{}:{} {}", p.line, p.column, p.message), p.hint.clone().unwrap_or_default())
    };
    found.err().unwrap_or_default().iter().map(shown).collect()
}

fn with_extensions(names: &str) -> String {
    format!(
        "    schematic: {{customization: {{systemExtensions: {{officialExtensions: [{names}]}}}}}}\n"
    )
}

#[test]
fn an_extension_that_the_release_has_is_taken() {
    for (version, name) in [
        ("v1.8.4", "siderolabs/i915-ucode"),
        ("v1.9.0", "siderolabs/i915"),
        ("1.9.0", "siderolabs/i915"),
        ("v1.13.8", "siderolabs/tailscale"),
        // What the list does not know is judged by the latest that it does.
        ("v1.13.99", "siderolabs/i915"),
    ] {
        assert_eq!(findings(version, "", &with_extensions(name)), [], "{version} {name}");
    }
}

#[test]
fn an_extension_that_is_gone_says_since_when_and_what_is_close() {
    let found = findings("v1.9.1", "", &with_extensions("siderolabs/i915-ucode"));
    let [(message, hint)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(message, "10:73 `siderolabs/i915-ucode` is no official extension of Talos v1.9.1");
    assert!(hint.contains("the last release that has it is v1.8"), "{hint}");
    assert!(hint.contains("did you mean `siderolabs/i915`?"), "{hint}");
    assert!(hint.contains("`noSchematicValidate: true`"), "{hint}");
    let found =
        findings("v1.13.0", "", &with_extensions("tailscale, siderolabs/zfs, siderolabs/zfs"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].1.starts_with("did you mean `siderolabs/tailscale`?"), "{found:?}");
    assert!(found[1].0.ends_with("`siderolabs/zfs` is here twice"));
}

#[test]
fn an_overlay_is_known_with_its_image() {
    let overlay =
        |text: &str| findings("v1.10.0", "", &format!("    schematic: {{overlay: {text}}}\n"));
    assert_eq!(overlay("{name: rpi_generic, image: siderolabs/sbc-raspberrypi}"), []);
    let table = [
        (
            "{name: rpi_generic, image: siderolabs/sbc-rockchip}",
            "the overlay `rpi_generic` is in the image `siderolabs/sbc-raspberrypi`, not `siderolabs/sbc-rockchip`",
        ),
        (
            "{name: rpi_generics, image: siderolabs/sbc-raspberrypi}",
            "`rpi_generics` is no overlay of Talos v1.10.0",
        ),
        ("{name: rpi_generic}", "an overlay needs both `name` and `image`"),
    ];
    for (text, expected) in table {
        let found = overlay(text);
        assert!(found[0].0.ends_with(expected), "{found:?}");
    }
}

#[test]
fn a_factory_of_ones_own_or_the_word_for_it_takes_everything() {
    let odd = with_extensions("mine/own, mine/own");
    assert_eq!(findings("v1.13.0", "imageFactory: {registryURL: factory.example.org}\n", &odd), []);
    assert_eq!(findings("v1.13.0", "", &format!("{odd}    noSchematicValidate: true\n")), []);
    assert_eq!(findings("v1.13.0", "", &odd.replace("schematic", "imageSchematic")), []);
    assert_ne!(findings("v1.13.0", "", &odd), []);
}

#[test]
fn a_type_of_disk_is_written_in_small_letters() {
    let disk = |kind: &str| {
        let rest = format!("    installDiskSelector: {{type: {kind}}}\n");
        findings("v1.13.0", "", &rest).into_iter().map(|(_, hint)| hint).collect::<Vec<_>>()
    };
    for kind in ["hdd", "ssd", "nvme", "sd"] {
        assert_eq!(disk(kind), [] as [String; 0], "{kind}");
    }
    assert_eq!(disk("HDD"), ["it is written in small letters"]);
    assert_eq!(disk("unknown"), [""]);
}
