#!/usr/bin/env python3
"""How long a save takes to reach the files that `ops watch` writes, and what a watch over 10,000 files costs while nothing happens.

    bench/watch.py OPS_BINARY [SAVES] [IDLE_SECONDS]

Told per case: the time from the end of a save to the last written file (p50, p95, worst), beside what the kernel and the quiet period take
alone: the floor below which no watch gets. Written files are seen by inotify, so nothing polls while it is measured. Linux only.
"""

import ctypes
import json
import os
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time

CLOSE_WRITE, MOVED_TO = 0x8, 0x80
QUIET_MS = 10.0
LIBC = ctypes.CDLL(None, use_errno=True)


class Names:
    """Tells of names that are written or renamed into a folder."""

    def __init__(self, folder):
        self.fd = LIBC.inotify_init1(os.O_CLOEXEC)
        if self.fd < 0 or LIBC.inotify_add_watch(self.fd, folder.encode(), CLOSE_WRITE | MOVED_TO) < 0:
            sys.exit(f"inotify: {os.strerror(ctypes.get_errno())}")

    def wait(self, names, seconds=30.0):
        """Waits until each name was written; the time then."""
        left = set(names)
        while left:
            if not select.select([self.fd], [], [], seconds)[0]:
                sys.exit(f"not written within {seconds} s: {sorted(left)}")
            data = os.read(self.fd, 1 << 16)
            at = 0
            while at < len(data):
                length = struct.unpack_from("iIII", data, at)[3]
                left.discard(data[at + 16:at + 16 + length].rstrip(b"\0").decode())
                at += 16 + length
        return time.perf_counter()

    def drain(self):
        while select.select([self.fd], [], [], 0)[0]:
            os.read(self.fd, 1 << 16)


class Watch:
    """`ops watch` in the background, which tells when it waits."""

    def __init__(self, ops, root, *words):
        env = dict(os.environ, XDG_STATE_HOME=f"{root}/.state")
        command = [ops, "--json", *words]
        self.child = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, text=True)
        self.until_it_waits()

    def until_it_waits(self):
        for line in self.child.stdout:
            if json.loads(line).get("event") == "waiting":
                return
        sys.exit(f"the watch ended: exit {self.child.wait()}")

    def cpu(self):
        """CPU seconds of the process so far, in ticks of the kernel."""
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self):
        """CPU nanoseconds of each living thread: ticks are too coarse for nearly nothing."""
        found = {}
        for task in os.listdir(f"/proc/{self.child.pid}/task"):
            with open(f"/proc/{self.child.pid}/task/{task}/schedstat", encoding="ascii") as file:
                found[task] = int(file.read().split()[0])
        return found

    def end(self):
        self.child.terminate()
        self.child.stdout.read()
        self.child.wait()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def save(path, text):
    """As editors save: a new file, renamed over the old one."""
    write(f"{path}.new", text)
    os.replace(f"{path}.new", path)
    return time.perf_counter()


def told(name, times):
    times = sorted(times)
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
    print(f"{name:<46} p50 {statistics.median(times):6.1f} ms   p95 {p95:6.1f} ms   worst {times[-1]:6.1f} ms")


def floor(root, saves):
    """What the kernel takes to tell another thread of a save."""
    write(f"{root}/in/x.yaml", "")
    names = Names(f"{root}/in")
    times = []
    for number in range(saves):
        names.drain()
        began = save(f"{root}/in/x.yaml", str(number))
        times.append((names.wait(["x.yaml"]) - began) * 1000)
    told("floor: the kernel alone", times)
    print(f"{'floor: the quiet period behind it':<46} {QUIET_MS:10.1f} ms")


def measure(name, watch, saves, saved, text, out, written):
    names, times, before = Names(out), [], watch.cpu()
    for number in range(saves):
        names.drain()
        began = save(saved, text(number))
        times.append((names.wait(written) - began) * 1000)
        watch.until_it_waits()
    used = watch.cpu() - before
    watch.end()
    told(name, times)
    print(f"{'':<46} {used / saves * 1000:10.1f} ms of CPU a save")


def files(ops, root, saves):
    """A recipe that reads 50 files and writes 5 which all depend on each of them."""
    write(f"{root}/ops.toml", "api = 1\n")
    write(f"{root}/recipes/t/join.lua", """return ops.recipe { desc = "Join", cluster = false, run = function(cx)
  local all = {}
  for _, file in ipairs(fs.glob { "in/*.yaml" }) do all[file] = yaml.read { file } end
  local text = yaml.encode(all)
  for n = 1, 5 do fs.write { "out/" .. n .. ".yaml", content = "n: " .. n .. "\\n" .. text } end
end }
""")
    for number in range(50):
        write(f"{root}/in/{number}.yaml", f"key: {number}\nlist: [a, b, c]\n")
    os.makedirs(f"{root}/out")
    watch = Watch(ops, root, "watch", "t:join")
    measure("50 files read, 5 written", watch, saves, f"{root}/in/7.yaml",
                   lambda n: f"key: saved {n}\n", f"{root}/out", [f"{n}.yaml" for n in range(1, 6)])


def nodes(ops, root, saves):
    """Five simulated nodes, ten patches each; the saved one is common to all."""
    rows = [f'nodes.cp-{n} = {{ role = "controlplane", address = "10.0.0.{n}" }}\n' for n in (1, 2, 3)]
    rows += [f'nodes.w-{n} = {{ role = "worker", address = "10.0.1.{n}" }}\n' for n in (1, 2)]
    patches = ", ".join(f'"patches/{n}.yaml"' for n in range(10))
    write(f"{root}/ops.toml", "api = 1\n")
    write(f"{root}/clusters/bench.toml", f"patches = [{patches}]\n"
          'endpoint = "https://10.0.0.100:6443"\n'
          'versions = { talos = "v1.13.0", kubernetes = "v1.36.0" }\n' + "".join(rows))
    for number in range(10):
        write(f"{root}/patches/{number}.yaml", f"machine:\n  sysctls:\n    bench.patch{number}: \"0\"\n")
    watch = Watch(ops, root, "--lab", "watch", "talos:generate-config")
    names = ["cp-1", "cp-2", "cp-3", "w-1", "w-2"]
    measure("5 nodes, 10 patches each", watch, saves, f"{root}/patches/4.yaml",
                   lambda n: f"machine:\n  sysctls:\n    bench.patch4: \"{n + 1}\"\n",
                   f"{root}/.ops/lab/bench/clusterconfig", [f"bench-{name}.yaml" for name in names])


def idle(ops, root, seconds):
    write(f"{root}/ops.toml", "api = 1\n")
    write(f"{root}/recipes/t/many.lua", 'return ops.recipe { desc = "Many", cluster = false, sources = { "in/**" }, run = "true" }\n')
    for number in range(10000):
        write(f"{root}/in/{number % 100}/{number}.txt", "x")
    watch = Watch(ops, root, "watch", "t:many")
    # Threads that only helped with the first run end after ten seconds without work.
    time.sleep(15)
    before = watch.threads()
    time.sleep(seconds)
    after = watch.threads()
    used = sum(after[thread] - before.get(thread, 0) for thread in after)
    watch.end()
    print(f"{'idle over 10,000 files in 100 folders':<46} {used / 1e6:10.3f} ms of CPU in {seconds} s")


def main():
    ops = os.path.abspath(sys.argv[1])
    saves = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    with tempfile.TemporaryDirectory() as root:
        floor(f"{root}/floor", saves)
        files(ops, f"{root}/files", saves)
        nodes(ops, f"{root}/nodes", saves)
        idle(ops, f"{root}/idle", seconds)


if __name__ == "__main__":
    main()
