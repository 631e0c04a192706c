#!/usr/bin/python3
"""Loads Apus and other brokers side by side with `apus bench`, in turns, and writes what came out into docs/performance.md.

Each run starts its broker afresh on an empty data directory and a free port of loopback. See README.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

import contenders
import document
import places
import system
import workloads

ROOT = places.ROOT
VERSION = "3.1.1"
# Seconds in which absent sessions are made.
SESSIONS_PATIENCE = 400


class Failure(Exception):
    """A run that gave no report."""


class Watch:
    """Looks at a number twice a second while something goes on."""

    def __init__(self, look):
        self.look, self.samples, self.is_over = look, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        begun = time.monotonic()
        while not self.is_over.wait(0.5):
            if (value := self.look()) is not None:
                self.samples.append((time.monotonic() - begun, value))

    def __enter__(self):
        self.before = self.look()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


class Bench:
    """Runs `apus bench` and keeps what it said."""

    def __init__(self, options, folder, certificate):
        self.options, self.folder, self.certificate = options, folder, certificate
        self.connections = max(100, min(options.connections, options.open_files - 200))
        self.wave = max(25, min(options.sessions // 4, options.open_files - 200, 5_000))

    def filled(self, text):
        return text.format(
            seconds=f"{self.options.seconds:g}", connections=self.connections, sessions=self.options.sessions,
            wave=self.wave, minutes=f"{self.options.minutes:g}",
        )

    def command(self, arguments, running):
        command = [str(self.options.binary), "bench", *arguments, "-V", VERSION, "--url", running.url, "--json", "--quiet"]
        return command + (["--pid", str(running.process)] if running.process else [])

    def report(self, arguments, running):
        """One run of the generator: its report, with what the machine says besides."""
        command = self.command(arguments, running)
        is_ours = running.process is not None
        before = system.thread_seconds(running.process, "apus-shard-") if is_ours else {}
        try:
            with Watch(system.slab_bytes) as slab:
                done = subprocess.run(command, capture_output=True, text=True, timeout=self.patience(), env=contenders.environment())
        except subprocess.TimeoutExpired:
            raise Failure(f"`{' '.join(arguments)}` took more than {self.patience():g} s") from None
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise Failure(f"`{' '.join(arguments)}`: {done.stderr.strip()[-300:]}") from None
        if is_ours:
            after = system.thread_seconds(running.process, "apus-shard-")
            used = [seconds - before.get(name, 0) for name, seconds in after.items()]
            if sum(used) > 0:
                report["busiest_shard"] = max(used) / sum(used)
        if connected := report["connections"]["connected"]:
            most = max((value for _, value in slab.samples), default=slab.before)
            report["kernel_bytes"] = (most - slab.before) / connected
        for part in report["parts"].values():
            report["generator_share"] = part["generator_cpu_seconds"] / part["seconds"] if part["seconds"] else 0
        return report

    def patience(self):
        return 180 + 10 * self.options.seconds

    def run(self, workload, contender):
        """A workload against a broker: a line for the file of results."""
        certificate = self.certificate if workload.is_secure else None
        with contender.running(self.folder, certificate) as running:
            if workload.kind == "soak":
                return self.soak(running)
            if workload.kind == "sessions":
                return self.absent_sessions(workload, running)
            report = self.report(shlex.split(self.filled(workload.arguments)), running)
        return result(report, workload)

    def absent_sessions(self, workload, running):
        """Sessions that outlive their connections, made in waves, since not all can be connected at once."""
        made, seconds, before, end = 0, 0.0, None, time.monotonic() + SESSIONS_PATIENCE
        # A broker that is slow at this shows it with fewer.
        while made < self.options.sessions and time.monotonic() < end:
            # Beyond the first wave, so that what the broker has once for all does not count.
            arguments = shlex.split(self.filled(workload.arguments))
            report = self.report([*arguments, "--client-id", f"wave{made}-{{role}}{{n}}"], running)
            if not report["verified"]:
                return result(report, workload)
            made += self.wave
            if before is None:
                time.sleep(1)
                before, first = system.resident_bytes(running.process or 0), made
            else:
                seconds += report["parts"]["connect"]["seconds"]
        time.sleep(1)
        more = made - first
        if before and more:
            report["bytes_per_session"] = (system.resident_bytes(running.process) - before) / more
        if more:
            report["sessions_per_second"] = more / seconds
        report["sessions"] = made
        return result(report, workload)

    def soak(self, running):
        """Clients that come and go while the broker's memory is watched."""
        end = time.monotonic() + 60 * self.options.minutes
        violations, runs = {}, 0
        with Watch(lambda: system.resident_bytes(running.process)) as memory:
            while time.monotonic() < end or not runs:
                for arguments in workloads.SOAK:
                    report = self.report(shlex.split(arguments), running)
                    for kind, count in report["violations"].items():
                        violations[kind] = violations.get(kind, 0) + count
                    runs += 1
        samples = memory.samples
        thinned = samples[::max(1, len(samples) // 240)]
        figures = {}
        if len(samples) >= 4:
            def middle(part):
                return sorted(resident for _, resident in part)[len(part) // 2]
            quarter = len(samples) // 4
            figures = {
                "resident": round(samples[-1][1] / 2**20, 1),
                # The third quarter against the last: what still grew when everything had long been there once.
                "growth": round((middle(samples[-quarter:]) - middle(samples[2 * quarter:3 * quarter])) / 2**20, 2),
            }
        return {
            "verified": not violations, "violations": violations, "figures": figures, "runs": runs,
            "samples": [[round(seconds, 1), resident] for seconds, resident in thinned],
        }


def value_at(report, path):
    for name in path.split("."):
        report = report.get(name) if isinstance(report, dict) else None
    return report


def result(report, workload):
    """What is kept of a report."""
    figures = {}
    report["resident_mib"] = round((value_at(report, "broker.resident_bytes") or 0) / 2**20, 1)
    for name in (*workload.figures, "generator", "resident"):
        if (value := value_at(report, workloads.FIGURES[name].path)) is not None:
            figures[name] = round(value, 4)
    kept = {"verified": report["verified"], "violations": report["violations"], "figures": figures}
    if report["problems"]:
        kept["problems"] = [problem["what"] for problem in report["problems"]][:3]
    if stopped := value_at(report, "connections.stopped_by"):
        kept["stopped_by"] = stopped
    return kept


def participants(options):
    """Who is measured, Apus first, and who is not, with the reason."""
    wanted = [contenders.Apus(options.binary)]
    known = {"mosquitto": contenders.Mosquitto, "nats": contenders.Nats}
    for name in filter(None, options.peers.split(",")):
        if name == "none":
            continue
        if name not in known:
            raise SystemExit(f"compare: no peer {name}; there are {', '.join(known)}, none, --start and --peer")
        wanted.append(known[name](name))
    for text in options.start:
        name, _, command = text.partition("=")
        wanted.append(contenders.Command(name, command))
    for text in options.peer:
        name, _, place = text.partition("=")
        place, _, process = place.partition(",pid=")
        host, _, port = place.rpartition(":")
        wanted.append(contenders.Elsewhere(name, host, int(port), int(process) if process else None))
    present, missing, versions = [], {}, {}
    for contender in wanted:
        try:
            versions[contender.name] = contender.version()
            present.append(contender)
        except contenders.Unavailable as error:
            missing[contender.name] = str(error)
    return present, missing, versions


def measured_by(workload, present, options):
    """Who takes part in a workload."""
    if not workload.variants:
        return present
    names = {contender.name for contender in present}
    return [variant(shape, options) for shape in workload.variants if shape.broker in names]


def variant(shape, options):
    if shape.broker == "mosquitto":
        return contenders.Mosquitto(shape.name, shape.as_installed)
    return contenders.Apus(options.binary, shape.name, shape.settings, shape.as_installed)


def commit():
    """Which sources were measured."""
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    with contextlib.suppress(OSError):
        number = git("rev-parse", "--short=12", "HEAD")
        return number + (" with changes" if git("status", "--porcelain", "Sources") else "") if number else None
    return None


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / ".build" / "release" / "apus")
    parser.add_argument("--workloads", default="", help="some of the workloads or sections, by commas; --list tells them")
    parser.add_argument("--list", action="store_true", help="list workloads and sections, and end")
    parser.add_argument("--peers", default="mosquitto,nats", help="mosquitto, nats; none is Apus alone")
    parser.add_argument("--start", action="append", default=[], metavar="NAME=COMMAND",
                        help="another broker; {port}, {data} and {file:PATH} in the command are replaced")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=HOST:PORT[,pid=N]", help="a broker that runs already")
    parser.add_argument("--rounds", type=places.above_zero(int), default=5, help="how often everything is measured")
    parser.add_argument("--seconds", type=places.above_zero(float), default=3, help="how long a run publishes")
    parser.add_argument("--connections", type=places.above_zero(int), default=1_000_000, help="at most; the limit of open files bounds it too")
    parser.add_argument("--sessions", type=places.above_zero(int), default=1_000_000, help="absent sessions")
    parser.add_argument("--minutes", type=places.above_zero(float), default=5, help="of the soak")
    places.add_options(parser)
    options = parser.parse_args()
    options.open_files = system.raise_open_file_limit()
    return options


def look(options):
    """Why a run is none to publish; empty for one that is."""
    if options.rounds < 3:
        return "fewer than 3 rounds"
    if options.seconds < 2:
        return "less than 2 seconds a run"
    return ""


def measure(options, bench, write):
    """All rounds; returns whether all of Apus was verified: what others do wrongly stands in the report."""
    present, missing, versions = participants(options)
    for name, reason in missing.items():
        print(f"compare: {name} is left out: {reason}", file=sys.stderr)
    chosen = workloads.chosen([name for name in options.workloads.split(",") if name])
    number = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    write({
        "kind": "run", "run": number, "machine": system.machine(), "versions": versions, "missing": missing, "commit": commit(),
        "rounds": options.rounds, "seconds": options.seconds, "minutes": options.minutes, "mqtt": VERSION,
        "settings": {contender.name: contender.settings() for contender in present},
        "notes": {contender.name: contender.notes for contender in present if contender.notes},
        "load": [round(load, 2) for load in os.getloadavg()],
    })
    is_verified = True
    for turn in range(options.rounds):
        for workload in chosen:
            # A soak is one long run, and what it shows is no figure with a spread.
            if workload.kind in ("soak", "sessions") and turn > 0:
                continue
            brokers = measured_by(workload, present, options)
            # In turns and each time another first, so that the machine's moods fall on all alike.
            for place in range(len(brokers)):
                contender = brokers[(place + turn) % len(brokers)]
                line = {
                    "kind": "result", "run": number, "workload": workload.name, "title": bench.filled(workload.title),
                    "broker": contender.name, "round": turn, "arguments": bench.filled(workload.arguments),
                }
                line |= outcome(bench, workload, contender)
                write(line)
                if isinstance(contender, contenders.Apus):
                    is_verified = is_verified and line.get("verified", True)
                print(described(line), flush=True)
    return is_verified


def outcome(bench, workload, contender):
    if reason := contender.lacks(workload):
        return {"unsupported": reason}
    if workload.is_secure and not bench.certificate:
        return {"unsupported": "no certificate could be made: `openssl` is missing"}
    _, stolen = system.busy_seconds()
    begun = time.monotonic()
    try:
        line = bench.run(workload, contender)
    except (Failure, RuntimeError, OSError) as error:
        return {"verified": False, "error": " ".join(str(error).split())[-400:]}
    _, stolen_now = system.busy_seconds()
    return line | {"took": round(time.monotonic() - begun, 1), "stolen_seconds": round(stolen_now - stolen, 2)}


def described(line):
    head = f"{line['round'] + 1} {line['workload']:<17} {line['broker']:<14}"
    if reason := line.get("unsupported") or line.get("error"):
        return f"{head} {reason}"
    figures = "  ".join(
        f"{workloads.FIGURES[name].label} {value:,.{workloads.FIGURES[name].digits}f}" for name, value in line["figures"].items()
    )
    wrong = "" if line["verified"] else f"  NOT VERIFIED {line['violations']} {line.get('problems', '')}"
    return f"{head} {figures}{wrong}"


def main():
    options = parse()
    chosen = workloads.chosen([name for name in options.workloads.split(",") if name])
    if options.list:
        titles = Bench(options, None, None)
        for workload in chosen:
            print(f"{workload.section:<12} {workload.name:<18} {titles.filled(workload.title)}")
        return 0
    if not options.binary.exists():
        raise SystemExit(f"compare: there is no {options.binary}; `make build` makes it")
    places.choose(options, "comparison.jsonl", look(options))
    count = 0
    with tempfile.TemporaryDirectory(prefix="compare-", dir=options.folder) as folder, open(options.out, "a") as file:
        folder = pathlib.Path(folder).absolute()
        folder.chmod(0o755)

        def write(line):
            nonlocal count
            count += line["kind"] == "result"
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()

        try:
            is_verified = measure(options, Bench(options, folder, contenders.certificate(folder)), write)
        except KeyboardInterrupt:
            print(f"\ncompare: interrupted; {count} results are kept in {places.shown(options.out)}", file=sys.stderr)
            return 130
    if options.document.name:
        document.write_comparison(options.document, options.out)
    return 0 if is_verified else 1


def interrupted(number, _):
    """So that brokers are ended and their data removed."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(main())
    except ValueError as error:
        raise SystemExit(f"compare: {error}") from None
