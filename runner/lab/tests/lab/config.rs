//! Applying configs: active and persisted are two values, and the traps that follow.

use crate::support::Bench;
use ops_lab::LabSpec;

fn labelled(text: &str, label: &str) -> String {
    text.replace(
        "    features:",
        &format!("    sysctls:\n        kernel.label: \"{label}\"\n    features:"),
    )
}

fn rebooting(text: &str) -> String {
    text.replace("diskQuotaSupport: true", "diskQuotaSupport: false")
}

/// A healthy lab with `same.yaml`, `a.yaml`, `b.yaml` (immediate), `reboot.yaml` and `worker.yaml` for cp-1.
fn bench() -> Bench {
    let mut bench = Bench::healthy(LabSpec::home(3));
    bench.config_file("same.yaml", "cp-1", |text| text);
    bench.config_file("a.yaml", "cp-1", |text| labelled(&text, "a"));
    bench.config_file("b.yaml", "cp-1", |text| labelled(&text, "b"));
    bench.config_file("reboot.yaml", "cp-1", |text| rebooting(&text));
    bench.config_file("worker.yaml", "w-1", |text| text);
    bench.files.insert("broken.yaml".into(), b"machine: [".to_vec());
    bench
}

fn active(bench: &mut Bench) -> String {
    bench.talosctl("cp-1", "get mc v1alpha1 -o yaml").out
}

#[test]
fn an_immediate_change_is_active_and_persisted_at_once() {
    let mut bench = bench();
    let said = bench.talosctl("cp-1", "apply-config -f a.yaml");
    assert_eq!((said.code, said.err.as_str()), (0, "Applied configuration without a reboot\n"));
    assert_eq!(bench.config("cp-1"), "in force");
    assert!(active(&mut bench).contains("kernel.label: \"a\""));
}

#[test]
fn the_same_config_again_changes_nothing() {
    let mut bench = bench();
    let said = bench.talosctl("cp-1", "apply-config -f same.yaml --dry-run");
    assert_eq!(
        said.err,
        "Dry run summary:\nApplied configuration without a reboot (skipped in dry-run).\nConfig diff:\n\nNo changes.\n"
    );
}

#[test]
fn auto_reboots_where_a_field_needs_it_and_says_why() {
    let mut bench = bench();
    let said = bench.talosctl("cp-1", "apply-config -f reboot.yaml");
    assert_eq!(said.code, 0);
    let first = "Applied configuration with a reboot: this config change can't be applied in immediate mode\ndiff:\n";
    assert!(said.err.starts_with(first), "{}", said.err);
    let said = bench.talosctl("cp-1", "apply-config -f a.yaml");
    assert!(
        said.err.contains("configuration was already applied and node is rebooting"),
        "{}",
        said.err
    );
    bench.settle();
    assert!(active(&mut bench).contains("diskQuotaSupport: false"));
}

#[test]
fn a_change_that_needs_a_reboot_is_refused_by_no_reboot_and_try() {
    for mode in ["no-reboot", "try"] {
        let mut bench = bench();
        let said = bench.talosctl("cp-1", &format!("apply-config -f reboot.yaml --mode={mode}"));
        assert_eq!(said.code, 1, "{mode}");
        assert!(said.err.starts_with("error applying new configuration: 1 error occurred:\n\t* 10.0.0.11: rpc error: code = InvalidArgument"), "{}", said.err);
        assert_eq!(bench.config("cp-1"), "in force");
    }
}

#[test]
fn a_staged_config_waits_for_the_reboot() {
    let mut bench = bench();
    let said = bench.talosctl("cp-1", "apply-config -f a.yaml --mode staged");
    assert_eq!(said.err, "Staged configuration to be applied after the next reboot\n");
    assert_eq!(bench.config("cp-1"), "staged");
    assert!(!active(&mut bench).contains("kernel.label"));
    let said = bench.talosctl("cp-1", "reboot");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(active(&mut bench).contains("kernel.label"));
}

#[test]
fn a_later_apply_overwrites_a_staged_config_without_a_word() {
    let mut bench = bench();
    bench.talosctl("cp-1", "apply-config -f a.yaml --mode staged");
    let said = bench.talosctl("cp-1", "apply-config -f b.yaml");
    assert_eq!((said.code, said.err.as_str()), (0, "Applied configuration without a reboot\n"));
    assert_eq!(bench.config("cp-1"), "in force");
}

#[test]
fn a_try_reverts_when_its_window_ends() {
    let mut bench = bench();
    let said = bench.talosctl("cp-1", "apply-config -f a.yaml --mode try --timeout 2m");
    assert_eq!(
        said.err,
        "Applied configuration without a reboot\nThe config is applied in 'try' mode and will be automatically reverted back in 2m0s\n"
    );
    assert_eq!(bench.config("cp-1"), "trial");
    bench.advance(119_000);
    assert!(active(&mut bench).contains("kernel.label"));
    bench.advance(2_000);
    assert!(!active(&mut bench).contains("kernel.label"));
    assert_eq!(bench.config("cp-1"), "in force");
}

#[test]
fn power_loss_ends_a_trial_too() {
    let mut bench = bench();
    bench.talosctl("cp-1", "apply-config -f a.yaml --mode try --timeout 1h");
    bench.break_("node-offline", Some("cp-1"));
    bench.heal("node-offline", Some("cp-1"));
    bench.settle();
    assert!(!active(&mut bench).contains("kernel.label"));
}

#[test]
fn a_second_try_reverts_to_the_first_trial_not_to_the_original() {
    let mut bench = bench();
    bench.talosctl("cp-1", "apply-config -f a.yaml --mode try");
    bench.talosctl("cp-1", "apply-config -f b.yaml --mode try");
    bench.advance(70_000);
    assert!(active(&mut bench).contains("kernel.label: \"a\""));
}

#[test]
fn any_other_apply_in_a_try_window_leaves_the_trial_in_force_until_the_reboot() {
    for line in ["-f a.yaml --dry-run", "-f broken.yaml", "-f reboot.yaml --mode no-reboot"] {
        let mut bench = bench();
        bench.talosctl("cp-1", "apply-config -f a.yaml --mode try");
        bench.talosctl("cp-1", &format!("apply-config {line}"));
        bench.advance(3_600_000);
        assert_eq!(bench.config("cp-1"), "trial without end", "{line}");
        assert!(active(&mut bench).contains("kernel.label"), "{line}");
        bench.talosctl("cp-1", "reboot");
        assert!(!active(&mut bench).contains("kernel.label"), "{line}");
    }
}

#[test]
fn a_successful_apply_replaces_a_trial() {
    let mut bench = bench();
    bench.talosctl("cp-1", "apply-config -f a.yaml --mode try");
    bench.talosctl("cp-1", "apply-config -f b.yaml");
    bench.advance(120_000);
    assert!(active(&mut bench).contains("kernel.label: \"b\""));
    assert_eq!(bench.losses(), Vec::<String>::new());
}

#[test]
fn a_dry_run_is_no_write_and_changes_nothing_outside_a_window() {
    let mut bench = bench();
    let before = bench.lab.state().nodes[0].config;
    let said = bench.talosctl("cp-1", "apply-config -f a.yaml --dry-run");
    assert!(said.err.contains("+    sysctls:\n+        kernel.label: \"a\"\n"), "{}", said.err);
    assert_eq!((bench.config("cp-1"), bench.writes()), (before, 0));
}

#[test]
fn a_partial_config_keeps_a_bare_node_in_maintenance_and_is_refused_elsewhere() {
    let partial = b"apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: other\n".to_vec();
    let mut bench = Bench::bare(LabSpec::home(1));
    bench.files.insert("partial.yaml".into(), partial.clone());
    assert_eq!(bench.talosctl("w-1", "apply-config --insecure -f partial.yaml").code, 0);
    bench.advance(600_000);
    assert_eq!(bench.stage("w-1"), "maintenance");
    let mut bench = self::bench();
    bench.files.insert("partial.yaml".into(), partial);
    let said = bench.talosctl("w-1", "apply-config -f partial.yaml");
    assert!(said.err.contains("doesn't contain v1alpha1 config"), "{}", said.err);
}

#[test]
fn an_install_to_a_disk_that_is_not_there_ends_in_maintenance_again() {
    let mut bench = Bench::bare(LabSpec::home(1));
    bench.config_file("w.yaml", "w-1", |text| text.replace("/dev/sda", "/dev/nvme9n1"));
    assert_eq!(bench.talosctl("w-1", "apply-config --insecure -f w.yaml").code, 0);
    bench.until("installing", |bench| bench.stage("w-1") == "installing");
    bench.settle();
    assert_eq!((bench.stage("w-1").as_str(), bench.config("w-1")), ("maintenance", "none"));
}

#[test]
fn a_config_that_does_not_validate_is_refused_in_the_real_words() {
    let mut bench = Bench::bare(LabSpec::home(1));
    bench.files.insert("bad.yaml".into(), b"machine:\n    type: worker\n".to_vec());
    let said = bench.talosctl("w-1", "apply-config --insecure -f bad.yaml");
    assert_eq!(said.code, 1);
    assert!(
        said.err.starts_with(
            "error applying new configuration: rpc error: code = InvalidArgument desc = "
        ),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("install instructions are required in \"metal\" mode"),
        "{}",
        said.err
    );
}

#[test]
fn talos_takes_another_role_without_asking_and_the_next_boot_shows_it() {
    let mut bench = bench();
    let said = bench.talosctl("cp-1", "apply-config -f worker.yaml");
    assert_eq!(said.code, 0, "{}", said.err);
    bench.settle();
    assert!(bench.talosctl("cp-1", "get machinetype").out.contains("worker"));
    assert_eq!(bench.etcd("cp-1"), "down");
}
