"""What the machine says: about itself, and about processes."""

import os
import pathlib
import platform
import resource
import socket
import subprocess


def free_port():
    """A port of loopback that nobody has at this moment."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def raise_open_file_limit():
    """As far as allowed, for this process and all that it starts; the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def resident_bytes(process):
    """Memory of a process that is not swapped out; `None` when it has ended."""
    try:
        for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def thread_seconds(process, prefix):
    """Processor seconds so far of each thread whose name begins so, by name."""
    found = {}
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if name.startswith(prefix):
            ticks = int(fields[11]) + int(fields[12])
            found[name] = found.get(name, 0) + ticks / os.sysconf("SC_CLK_TCK")
    return found


def busy_seconds():
    """Seconds that the processors were busy since the machine started, and of these stolen by its host."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:]]
    hertz = os.sysconf("SC_CLK_TCK")
    stolen = ticks[7] if len(ticks) > 7 else 0
    return (sum(ticks[:3]) + sum(ticks[5:8])) / hertz, stolen / hertz


def _first(path, name):
    try:
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def slab_bytes():
    """What the kernel has allocated for its own objects, those of sockets among them."""
    return int((_first("/proc/meminfo", "Slab") or "0 kB").split()[0]) * 1024


def machine():
    """What somebody must know to judge the figures."""
    memory = _first("/proc/meminfo", "MemTotal") or "0 kB"
    system = platform.system()
    try:
        release = pathlib.Path("/etc/os-release").read_text()
        system = next(line.split("=", 1)[1].strip('"') for line in release.splitlines() if line.startswith("PRETTY_NAME="))
    except (OSError, StopIteration):
        pass
    return {
        "processor": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.split()[0]) / (1 << 20), 1),
        "system": system,
        "kernel": platform.release(),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "virtual": "hypervisor" in (_first("/proc/cpuinfo", "flags") or "").split(),
    }


def output_of(command):
    """The first line that a command prints, or `None` when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout + done.stderr).strip().partition("\n")[0] or None
