#!/usr/bin/env python3
"""No socket is opened, and nothing that could open one to a server is linked.

    python3 tests/real/offline.py --holdover BIN --work DIR

Needs `strace` and `cargo`.
"""

import re
import shutil

import common

# Clients of HTTP, TLS and object stores. (polars links tokio for its threads: the watch above shows that no socket comes of it.)
BANNED = {"reqwest", "hyper", "rustls", "object_store", "openssl", "openssl-sys", "native-tls", "ureq", "curl", "isahc", "h2", "quinn"}  # fmt: skip


def watched(args, what, *command, codes):
    """Runs a command with all its threads and children under strace; the system calls of `%network` that it made."""
    log = args.work / "strace.log"
    line = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=%network", "-e", "signal=none", "-o", log, args.holdover, *command]
    ran = common.run(line, args.work)
    common.check(f"{what} under strace exits {ran.code}", ran.code in codes, ran.err[-2000:])
    calls = [text for text in log.read_text(errors="replace").splitlines() if re.search(r"\b[a-z0-9_]+\(", text)]
    common.equal(f"{what}: calls of the network", calls[:5], [])


def main():
    args = common.parsed(common.arguments(__doc__))
    common.check("strace is installed", shutil.which("strace"), "apt-get install -y strace")
    # The watch itself works: a program that opens a socket is seen.
    ran = common.run(["strace", "-f", "-e", "trace=%network", "python3", "-c", "import socket; socket.socket()"], args.work)
    common.check("strace sees a socket where there is one", "AF_INET" in ran.err, ran.err[-500:])
    demo = args.work / "demo"
    shutil.rmtree(demo, ignore_errors=True)
    watched(args, "demo", "demo", demo, codes=(0,))
    config = demo / "holdover.toml"
    watched(args, "import", "import", "--config", config, codes=(0, 3))
    watched(args, "audit", "audit", "--config", config, "--as-of", "2026-11-23T06:00:00Z", codes=(0, 1, 3))
    watched(args, "store verify", "store", "verify", "--store", demo / "store", codes=(0,))
    for kinds in ("normal", "normal,build"):
        ran = common.run(["cargo", "tree", "--locked", "--target", "all", "-e", kinds, "--prefix", "none", "--format", "{p}"], common.PROJECT)
        common.check(f"cargo tree ({kinds})", ran.code == 0, ran.err)
        crates = {line.split()[0] for line in ran.out.splitlines() if line.strip()}
        common.equal(f"banned among {len(crates)} crates ({kinds})", sorted(crates & BANNED), [])


if __name__ == "__main__":
    main()
