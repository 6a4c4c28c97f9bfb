"""Runs a command and tells what it cost, and describes the machine it ran on. Imports nothing large: the interpreter's own memory
is the floor of what the kernel reports for a child."""

import dataclasses
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path


@dataclasses.dataclass
class Cost:
    """Of one process. Times in seconds, memory in bytes; `anonymous`: its largest memory that is no page of a file, sampled."""

    code: int
    wall: float
    cpu: float
    rss: int
    anonymous: int | None
    out: str
    err: str


def run(command, cwd, okay=(0,), keep_output=True):
    """Runs a command to its end; any other exit code than those ends the script with what it said."""
    command = [str(c) for c in command]
    out_path, err_path = Path(cwd) / ".bench-out", Path(cwd) / ".bench-err"
    with (out_path if keep_output else Path(os.devnull)).open("wb") as out, err_path.open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        sampler = Sampler(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        anonymous = sampler.end()
    said = out_path.read_text(encoding="utf-8", errors="replace") if keep_output else ""
    complained = err_path.read_text(encoding="utf-8", errors="replace")
    for path in (out_path, err_path):
        path.unlink(missing_ok=True)
    if process.returncode not in okay:
        sys.exit(f"{' '.join(command)}\nended with {process.returncode}\n{said[-2000:]}{complained[-4000:]}")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(process.returncode, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, anonymous, said, complained)


class Sampler:
    """The most anonymous memory of a process, looked at every 20 ms. Only Linux tells."""

    def __init__(self, pid):
        self.path = Path(f"/proc/{pid}/status")
        self.most = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.02):
            try:
                text = self.path.read_text()
            except OSError:
                return
            for line in text.splitlines():
                if line.startswith("RssAnon:"):
                    self.most = max(self.most or 0, int(line.split()[1]) * 1024)

    def end(self):
        self.over.set()
        self.thread.join()
        return self.most


def timings(err):
    """The stages that `--timings=json` told on standard error, by name."""
    lines = [line for line in err.splitlines() if line.startswith('{"timings"')]
    return {stage["stage"]: stage for stage in json.loads(lines[-1])["timings"]} if lines else {}


def machine(folder):
    """What the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": cpu_model(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "disk": disk(folder),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
    }


def cpu_model():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "not known"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "not known"


def disk(folder):
    """The kind of file system, and how fast 512 MiB are written to it and synced: bytes a second."""
    kind = "not known"
    try:
        mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text().splitlines()]
        under = [(len(place), kind) for _, place, kind in mounts if str(folder).startswith(place)]
        kind = max(under)[1] if under else kind
    except OSError:
        pass
    block, path = os.urandom(1 << 20), Path(folder) / ".bench-disk"
    began = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(512):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    rate = (512 << 20) / (time.perf_counter() - began)
    path.unlink()
    return {"file_system": kind, "write_bytes_per_second": round(rate)}
