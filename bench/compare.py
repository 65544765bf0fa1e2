#!/usr/bin/env python3
"""Compares ops with just, task and make in one run: CPU seconds of the whole process tree, median of some rounds.

    bench/compare.py OPS_BINARY [ROUNDS]

just and task are found on PATH (PyPI: rust-just, go-task-bin); what is absent is left out. Quote ratios: machines are noisy.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile


def cpu(command, cwd):
    """User and system seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command}: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def recipes(root, count, body):
    """`count` recipes for each runner; those of ops in groups of a hundred a file."""
    write(f"{root}/ops.toml", "api = 1\n")
    for at in range(0, count, 100):
        rows = "".join(
            f'  {{ name = "r{n}", desc = "Recipe {n}", cluster = false, run = {body} }},\n'
            for n in range(at, min(at + 100, count))
        )
        write(f"{root}/recipes/g{at}.lua", "return ops.recipes {\n" + rows + "}\n")
    write(f"{root}/justfile", "".join(f"r{n}:\n  @true\n" for n in range(count)))
    tasks = "".join(f"  r{n}:\n    desc: Recipe {n}\n    cmds: [\"true\"]\n" for n in range(count))
    write(f"{root}/Taskfile.yml", "version: '3'\nsilent: true\ntasks:\n" + tasks)


def main():
    ops = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    have = {name: shutil.which(name) for name in ("just", "task", "make")}
    with tempfile.TemporaryDirectory() as root:
        os.environ["XDG_STATE_HOME"] = f"{root}/state"
        for count in (10, 1000, 10000):
            recipes(f"{root}/{count}", count, '"true"')
        many = f"{root}/many"
        write(f"{many}/ops.toml", "api = 1\n")
        write(f"{many}/recipes/calls.lua", 'return ops.recipe { desc = "Calls", cluster = false, run = function() '
              'for _ = 1, 1000 do sh.exec { "/bin/true", effect = "reads" } end end }\n')
        write(f"{many}/Makefile", "all: " + " ".join(f"t{n}" for n in range(1000)) + "\nt%:\n\t@/bin/true\n")
        write(f"{many}/justfile", "all: " + " ".join(f"t{n}" for n in range(1000)) + "\n"
              + "".join(f"t{n}:\n  @/bin/true\n" for n in range(1000)))
        needs = ", ".join(f'"t:r{n}"' for n in range(1000))
        bodies = "".join(f'  {{ name = "r{n}", desc = "Recipe {n}", cluster = false, run = function() '
                         'sh.exec { "/bin/true", effect = "reads" } end },\n' for n in range(1000))
        write(f"{many}/recipes/t.lua", "return ops.recipes {\n" + bodies + "}\n")
        write(f"{many}/recipes/all.lua", f'return ops.recipe {{ desc = "All", cluster = false, needs = {{ {needs} }}, run = function() end }}\n')

        cases = []
        for count in (10, 1000, 10000):
            at = f"{root}/{count}"
            cases.append((f"run one of {count}", at, {
                "ops": [ops, "-q", "run", "g0:r1"], "just": [have["just"], "r1"], "task": [have["task"], "r1"]}))
            cases.append((f"list {count}", at, {
                "ops": [ops, "list"], "just": [have["just"], "--list"], "task": [have["task"], "--list-all"]}))
        cases.append(("1,000 calls of /bin/true", many, {
            "ops": [ops, "-q", "run", "calls"], "make": [have["make"], "-j2"], "just": [have["just"], "all"]}))
        cases.append(("1,000 recipes with Lua bodies", many, {
            "ops": [ops, "-q", "run", "all"], "make": [have["make"], "-j2"], "just": [have["just"], "all"]}))

        print(f"{'case':32} {'runner':6} {'CPU ms':>9}   ops/runner")
        for name, cwd, runners in cases:
            found = {}
            for runner, command in runners.items():
                if command[0]:
                    found[runner] = statistics.median(cpu(command, cwd) for _ in range(rounds)) * 1000
            for runner, ms in found.items():
                print(f"{name:32} {runner:6} {ms:9.1f}   {found['ops'] / ms if ms else 0:6.2f}")


if __name__ == "__main__":
    main()
