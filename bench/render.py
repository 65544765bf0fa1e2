#!/usr/bin/env python3
"""CPU of rendering Talos machine configs: natively, by talhelper, and by `talosctl machineconfig patch` once per node.

    bench/render.py EXAMPLE_BINARY [ROUNDS]

EXAMPLE_BINARY is `cargo build --release -p ops-render --example talconfig`. talhelper and talosctl are found on PATH
(`tests/tools/build --talhelper` makes the first); what is absent is left out. Each node has ten patches. The bases are made once by
`talosctl gen config`, which is shown apart. Medians of the process tree's CPU seconds; quote ratios, machines are noisy.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from compare import cpu, write

HEAD = """clusterName: demo
talosVersion: v1.13.0
kubernetesVersion: v1.36.0
endpoint: https://10.0.0.10:6443
cniConfig: {name: none}
patches:
"""


def patch(kind, n):
    return f"machine:\n  sysctls:\n    {kind}.test{n}: \"{n}\"\n  files:\n    - path: /var/etc/{kind}-{n}\n      op: create\n      content: |\n        {kind} {n}\n"


def talconfig(root, count):
    """`count` nodes, every fifth a control plane from the first on; three patches for all, three by role, four of their own."""
    text = HEAD
    for n in range(3):
        write(f"{root}/patches/all-{n}.yaml", patch("all", n))
        text += f"  - '@./patches/all-{n}.yaml'\n"
    for group in ("controlPlane", "worker"):
        text += f"{group}:\n  schematic: {{customization: {{systemExtensions: {{officialExtensions: [siderolabs/tailscale]}}}}}}\n  patches:\n"
        for n in range(3):
            write(f"{root}/patches/{group}-{n}.yaml", patch(group.lower(), n))
            text += f"    - '@./patches/{group}-{n}.yaml'\n"
    text += "nodes:\n"
    for node in range(count):
        role = "true" if node % 5 == 0 else "false"
        text += f"  - hostname: node-{node}\n    ipAddress: 10.0.{node // 200}.{node % 200 + 20}\n    controlPlane: {role}\n    installDisk: /dev/sda\n"
        text += f"    networkInterfaces: [{{interface: eth0, addresses: [10.0.{node // 200}.{node % 200 + 20}/24], routes: [{{network: 0.0.0.0/0, gateway: 10.0.0.1}}]}}]\n"
        text += "    patches:\n" + "".join(
            f"      - |-\n        machine:\n          nodeLabels: {{own-{n}: \"{node}\"}}\n" for n in range(4))
    write(f"{root}/talconfig.yaml", text)


def main():
    native = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    talhelper, talosctl = shutil.which("talhelper"), shutil.which("talosctl")
    with tempfile.TemporaryDirectory() as root:
        os.environ["HOME"] = root
        if not talosctl:
            sys.exit("talosctl makes the bases, and is not on PATH")
        subprocess.run([talosctl, "gen", "secrets", "-o", f"{root}/talsecret.yaml"], check=True)
        generate = [talosctl, "gen", "config", "demo", "https://10.0.0.10:6443", "--with-secrets", f"{root}/talsecret.yaml",
                    "--with-docs=false", "--with-examples=false", "--talos-version", "v1.13.0", "--kubernetes-version", "1.36.0",
                    "-o", f"{root}/base", "--force"]
        print(f"both bases by talosctl gen config, once: {cpu(generate, root):.3f} s CPU")
        for count in (5, 200):
            at = f"{root}/{count}"
            out = f"{at}/out"
            talconfig(at, count)
            shutil.copy(f"{root}/talsecret.yaml", at)
            flags = []
            for group in ("all", "worker"):
                flags += [part for n in range(3) for part in ("-p", f"@patches/{group}-{n}.yaml")]
            flags += [part for n in range(4) for part in ("-p", f'{{"machine":{{"nodeLabels":{{"own-{n}":"1"}}}}}}')]
            once = [talosctl, "machineconfig", "patch", f"{root}/base/worker.yaml", *flags, "-o", out]
            commands = {
                "native": [native, at, f"{root}/base/controlplane.yaml", f"{root}/base/worker.yaml", out],
                "talhelper": [talhelper, "genconfig", "--offline-mode", "--no-gitignore", "-o", out] if talhelper else None,
                "talosctl patch per node": ["sh", "-c", 'n=$1; shift; for i in $(seq "$n"); do "$@" || exit 1; done', "-", str(count), *once],
            }
            samples = {name: [] for name, command in commands.items() if command}
            for number in range(rounds):
                for name in samples:
                    # A new folder each time: writing over a file, or in place of one just removed, costs the file system more.
                    fresh = f"{out}-{number}-{list(samples).index(name)}"
                    samples[name].append(cpu([fresh if word == out else word for word in commands[name]], at))
            medians = {name: statistics.median(values) for name, values in samples.items()}
            print(f"{count} nodes, ten patches each:")
            for name, value in medians.items():
                print(f"  {name:<24} {value * 1000:8.1f} ms CPU   {value / medians['native']:7.1f} x native")


if __name__ == "__main__":
    main()
