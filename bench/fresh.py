#!/usr/bin/env python3
"""What it costs to find out that nothing is to be done: ops against a parallel stat walk and task, in one run.

    bench/fresh.py OPS_BINARY [ROUNDS]

Two places: 10,000 files of 1 KB, and 1 GB in 100 files. CPU is that of the whole process, user and system; wall time beside it. The walk is
compiled from bench/walk.rs by rustc; task (checksum and timestamp) is found on PATH (PyPI: go-task-bin), and left out where it is absent.
Quote ratios: machines are noisy, and shared ones more so.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def run(command, cwd):
    """CPU seconds and wall seconds of a command and its children, and what it said."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command}: exit {done.returncode}\n{done.stdout.decode()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, done.stdout.decode()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def place(root, folders, each, size):
    """Files of `size` bytes, old enough that their stat proves something, and the same step for both runners."""
    block = os.urandom(min(size, 1 << 20))
    for folder in range(folders):
        os.makedirs(f"{root}/src/d{folder:03}", exist_ok=True)
        for n in range(each):
            path = f"{root}/src/d{folder:03}/f{n:03}.txt"
            with open(path, "wb") as file:
                left = size
                while left > 0:
                    left -= file.write(block[:left])
            old = time.time() - 3600
            os.utime(path, (old, old))
    write(f"{root}/ops.toml", "api = 1\n")
    write(f"{root}/recipes/check.lua",
          'return ops.recipe { desc = "Check", cluster = false, sources = { "src/**" }, generates = { "out" }, run = "touch out" }\n')
    methods = "".join(
        f"  {method}:\n    method: {method}\n    sources: ['src/**/*.txt']\n    generates: [out]\n    cmds: ['touch out']\n"
        for method in ("checksum", "timestamp")
    )
    write(f"{root}/Taskfile.yml", "version: '3'\nsilent: true\ntasks:\n" + methods)


def measure(name, rows, cwd, rounds):
    found = {label: [] for label, _, _ in rows}
    for _ in range(rounds):
        for label, command, expected in rows:
            cpu, wall, said = run(command, cwd)
            if expected and expected not in said:
                sys.exit(f"{label}: no `{expected}` in\n{said}")
            found[label].append((cpu, wall))
    middle = {label: tuple(statistics.median(column) for column in zip(*times)) for label, times in found.items()}
    floor, ours = middle["walk"], middle["ops"]
    print(f"\n{name}")
    for label, (cpu, wall) in middle.items():
        print(f"  {label:<16} {cpu * 1000:9.1f} ms CPU {wall * 1000:9.1f} ms wall"
              f"   {cpu / floor[0]:7.2f} x walk (CPU)  {wall / floor[1]:7.2f} x (wall)   {cpu / ours[0]:7.2f} x ops (CPU)")


def main():
    ops = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    task = shutil.which("task")
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as root:
        os.environ["XDG_STATE_HOME"] = f"{root}/state"
        subprocess.run(["rustc", "-O", "--edition=2024", "-o", f"{root}/walk", f"{here}/walk.rs"], check=True)
        for name, folders, each, size in (("10,000 files of 1 KB", 100, 100, 1 << 10), ("1 GB in 100 files", 10, 10, 10 << 20)):
            at = f"{root}/{folders}x{each}"
            place(at, folders, each, size)
            first = [run([ops, "run", "check"], at)]
            rows = [("walk", [f"{root}/walk", "src"], None), ("ops", [ops, "run", "check"], "up to date"),
                    ("ops, no inputs", [ops, "list"], None)]
            if task:
                for method in ("checksum", "timestamp"):
                    run([task, method], at)
                    rows.append((f"task {method}", [task, method], None))
            # The output is new: the first check after a run reads it once more, and settles that.
            time.sleep(2.5)
            run([ops, "run", "check"], at)
            measure(name, rows, at, rounds)
            print(f"  (the run that records it: {first[0][0] * 1000:.0f} ms CPU)")


if __name__ == "__main__":
    main()
