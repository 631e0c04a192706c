"""Writes the generated parts of docs/performance.md: medians with their spread, tables and plots.

A part stands between `<!-- NAME: written by Benchmarks -->` and `<!-- end of NAME -->`; what is around it is written by hand
and stays.
"""

import json
import statistics
import sys

import plots
import workloads


def read(path):
    """Lines of JSON; none when there is no file."""
    try:
        with open(path) as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        return []


NOT_MEASURED = "Not measured yet: `make bench` does it."


def replace(path, parts):
    """Puts these texts into the document, which is made if there is none; what is empty leaves the part as it stands."""
    text = path.read_text() if path.exists() else empty()
    for name, content in parts.items():
        begin, end = f"<!-- {name}: written by Benchmarks -->", f"<!-- end of {name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            print(f"document: {path} has no place for {name}", file=sys.stderr)
            continue
        if content.strip():
            text = f"{head}{begin}\n\n{content.strip()}\n\n{end}{tail}"
    path.write_text(text)


def empty():
    """A document of the generated parts alone."""
    titles = {"conditions": "Conditions", **workloads.SECTIONS, "micro": "The parts by themselves"}
    return "# Performance\n" + "".join(
        f"\n## {title}\n\n<!-- {name}: written by Benchmarks -->\n\n{NOT_MEASURED}\n\n<!-- end of {name} -->\n"
        for name, title in titles.items())


def number(value, digits):
    return f"{value:,.{digits}f}"


class Results:
    """The newest run of each workload."""

    def __init__(self, lines):
        self.runs = {line["run"]: line for line in lines if line["kind"] == "run"}
        newest = {}
        results = [line for line in lines if line["kind"] == "result"]
        for line in results:
            newest[line["workload"]] = max(line["run"], newest.get(line["workload"], ""))
        self.lines = [line for line in results if line["run"] == newest[line["workload"]]]
        self.used = sorted(set(newest.values()))

    def of(self, workload, broker):
        return [line for line in self.lines if line["workload"] == workload and line["broker"] == broker]

    def title(self, workload):
        return next((line["title"] for line in self.lines if line["workload"] == workload.name), workload.title)

    def brokers(self, names):
        """In the order of their first appearance."""
        return list(dict.fromkeys(line["broker"] for line in sorted(self.lines, key=lambda line: line["round"])
                                  if line["workload"] in names))

    def values(self, workload, broker, figure):
        return [line["figures"][figure] for line in self.of(workload, broker) if figure in line.get("figures", {})]

    def spread(self, workload, broker, figure):
        """Median, least and most; `None` without a value."""
        values = self.values(workload, broker, figure)
        return (statistics.median(values), min(values), max(values)) if values else None


def cell(results, workload, broker, figure, reference):
    """`1.23 [1.20–1.30]`, and how that compares with the first broker."""
    spread = results.spread(workload.name, broker, figure)
    lines = results.of(workload.name, broker)
    if spread is None:
        reasons = {line.get("unsupported") and "not supported" or line.get("error") and "failed" for line in lines} - {None}
        return ", ".join(sorted(reasons)) or "–"
    middle, least, most = spread
    shape = workloads.FIGURES[figure]
    text = number(middle, shape.digits)
    if len(results.values(workload.name, broker, figure)) > 1:
        text += f" [{number(least, shape.digits)}–{number(most, shape.digits)}]"
    if any(not line.get("verified", True) for line in lines):
        text += " ⚠"
    first = results.spread(workload.name, reference, figure)
    if broker != reference and first and first[0] > 0 and middle > 0 and shape.better:
        ratio = middle / first[0] if shape.better == "less" else first[0] / middle
        text += f" · {ratio:.3g}×"
    return text


def table(results, section):
    """One row for each figure of each workload, one column for each broker."""
    chosen = [workload for workload in workloads.WORKLOADS if workload.section == section and any(
        line["workload"] == workload.name for line in results.lines)]
    if not chosen:
        return ""
    brokers = results.brokers({workload.name for workload in chosen})
    rows = [f"| workload | figure | {' | '.join(brokers)} |", "|---" * (len(brokers) + 2) + "|"]
    for workload in chosen:
        for place, figure in enumerate(workload.figures):
            cells = [cell(results, workload, broker, figure, brokers[0]) for broker in brokers]
            if all(text == "–" for text in cells):
                continue
            rows.append(f"| {results.title(workload) if place == 0 else ''} | {workloads.FIGURES[figure].label} | {' | '.join(cells)} |")
    return "\n".join(rows + remarks(results, chosen, brokers))


def remarks(results, chosen, brokers):
    """What was not as it has to be, in words."""
    found = []
    for workload in chosen:
        for broker in brokers:
            lines = results.of(workload.name, broker)
            for reason in dict.fromkeys(line["unsupported"] for line in lines if "unsupported" in line):
                found.append(f"- {broker}, {workload.name}: not supported: {reason}")
            failures = [line for line in lines if not line.get("verified", True)]
            if failures:
                kinds = {}
                for line in failures:
                    for kind, count in line.get("violations", {}).items():
                        kinds[kind] = kinds.get(kind, 0) + count
                words = ", ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in kinds.items())
                said = dict.fromkeys([*(line["error"] for line in failures if "error" in line),
                                      *(problem for line in failures for problem in line.get("problems", []))])
                found.append(f"- ⚠ {broker}, {workload.name}: not verified in {len(failures)} of {len(lines)} runs"
                             f"{': ' + words if words else ''}{' (' + '; '.join(said) + ')' if said else ''}")
            shares = results.values(workload.name, broker, "generator")
            if shares and statistics.median(shares) > 0.95:
                found.append(f"- {broker}, {workload.name}: the generator was busy all the time, and not the broker decided on messages/s")
            for limit in dict.fromkeys(line["stopped_by"] for line in lines if "stopped_by" in line):
                found.append(f"- {broker}, {workload.name}: stopped by the limit of {limit.replace('_', ' ')}")
    return ["", *found] if found else []


def conditions(results):
    """Machine, versions, settings and commands of the runs that the tables are made of."""
    if not results.used:
        return ""
    last = results.runs[results.used[-1]]
    machine = last["machine"]
    kind = "virtual machine" if machine.get("virtual") else "machine"
    lines = [
        f"- A {kind} with {machine['processors']} processors ({machine['processor']}), {machine['memory_gib']:g} GiB, "
        f"{machine['system']}, Linux {machine['kernel']}, at most {machine['open_files']:,} open files.",
        f"- MQTT {last['mqtt']} on loopback. Broker and generator share the machine.",
    ]
    for run in results.used:
        facts = results.runs[run]
        measured = list(dict.fromkeys(line["workload"] for line in results.lines if line["run"] == run))
        part = "all workloads" if len(results.used) == 1 else ", ".join(measured)
        lines.append(f"- {run[:10]}, {run[11:16]} UTC{', commit ' + facts['commit'] if facts.get('commit') else ''}: {part}; "
                     f"{facts['rounds']} {'round' if facts['rounds'] == 1 else 'rounds'}, {facts['seconds']:g} s each; load {facts['load'][0]} before.")
    lines += ["", "| broker | version | set to |", "|---|---|---|"]
    known = {}
    for facts in map(results.runs.get, results.used):
        for name, version in facts["versions"].items():
            note = f"; {facts['notes'][name]}" if name in facts.get("notes", {}) else ""
            known[name] = f"| {name} | {version} | {facts['settings'].get(name, '')}{note} |"
    for name, reason in last.get("missing", {}).items():
        known.setdefault(name, f"| {name} | – | left out: {reason} |")
    lines += known.values()
    lines += ["", "| workload | `apus bench -V " + last["mqtt"] + "` … |", "|---|---|"]
    for workload in workloads.WORKLOADS:
        arguments = next((line["arguments"] for line in results.lines if line["workload"] == workload.name), None)
        if arguments:
            lines.append(f"| {workload.name} | `{arguments}` |")
    return "\n".join(lines)


def million(results):
    """What a million idle connections would take: the measured ones, multiplied."""
    own, kernel = results.spread("idle", "apus", "bytes_connection"), results.spread("idle", "apus", "kernel_bytes")
    if not own or not kernel:
        return ""
    broker, system = own[0] * 1e6 / 2**30, kernel[0] / 2 * 1e6 / 2**30
    return (f"\n\nA million idle connections to Apus, each with a session and a subscription: {broker:.1f} GiB in the broker and "
            f"{system:.1f} GiB in the kernel, on paper.")


def draw(folder, name, picture):
    """Writes a picture; its Markdown."""
    if not picture:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(picture)
    return f"![{name}]({folder.name}/{name}.svg)\n\n"


def bars(results, section, figures, title, unit):
    """A bar for each workload and figure of a section and each broker."""
    rows, names = [], []
    for workload in workloads.WORKLOADS:
        if workload.section != section:
            continue
        for figure in figures:
            if figure not in workload.figures:
                continue
            row = {}
            for broker in results.brokers({workload.name}):
                if spread := results.spread(workload.name, broker, figure):
                    row[broker] = spread
                    names.append(broker)
            label = results.title(workload) if len(figures) == 1 else f"{workload.name}, {workloads.FIGURES[figure].label}"
            if row:
                rows.append((label, row))
    names = list(dict.fromkeys(names))
    return plots.bars(title, rows, names, unit)


def latencies(results, name, title):
    places = {"p50": 1, "p90": 2, "p99": 3, "p999": 4}
    labels = {1: "p50", 2: "p90", 3: "p99", 4: "p99.9"}
    series = {}
    for broker in results.brokers({name}):
        line = [(place, spread[0]) for figure, place in places.items() if (spread := results.spread(name, broker, figure))]
        if line:
            series[broker] = line
    return plots.lines(title, series, "percentile", "µs", (False, True), labels)


def soak(results):
    series = {}
    for line in results.lines:
        if "samples" in line:
            series[line["broker"]] = [(seconds / 60, resident / 2**20) for seconds, resident in line["samples"]]
    return plots.lines("Resident memory while clients come and go", series, "minutes", "MiB") if series else None


def write_comparison(path, source):
    """The parts that `compare.py` measures."""
    results = Results(read(source))
    folder = path.parent / path.stem
    parts = {"conditions": conditions(results)}
    pictures = {
        "traffic": [("cpu", bars(results, "traffic", ["cpu"], "Broker CPU for a million deliveries", "seconds, logarithmic"))],
        "latency": [
            ("latency-q0", latencies(results, "latency-q0", "Latency at 10,000 messages/s, QoS 0")),
            ("latency-q1", latencies(results, "latency-q1", "Latency at 10,000 messages/s, QoS 1")),
        ],
        "stored": [("stored", bars(results, "stored", ["set_rate", "get_rate", "store_rate", "drain_rate"],
                                   "Stored messages", "messages/s, logarithmic"))],
        "clients": [("memory", bars(results, "clients", ["bytes_connection", "bytes_session"],
                                        "Memory of connections and sessions", "bytes, logarithmic"))],
        "shards": [("shards", bars(results, "shards", ["cpu"], "One shard and two: broker CPU for a million deliveries",
                                   "seconds, logarithmic"))],
        "soak": [("soak", soak(results))],
    }
    for section in workloads.SECTIONS:
        if rows := table(results, section):
            parts[section] = "".join(draw(folder, name, picture) for name, picture in pictures.get(section, [])) + rows
    if "clients" in parts:
        parts["clients"] += million(results)
    replace(path, parts)


def write_micro(path, source):
    """The part that `micro.py` measures."""
    lines = read(source)
    run = next((line for line in reversed(lines) if line["kind"] == "run"), None)
    if not run:
        return
    measured = [line for line in lines if line["kind"] == "result" and line["run"] == run["run"]]
    machine = run["machine"]
    words = (f"{run['run'][:10]}, {machine['processor']}, commit {run.get('commit') or 'unknown'}. "
             f"Instructions: {run['instructions']}. Allocations: {run['allocations']}.\n\n")
    words += draw(path.parent / path.stem, "index", index_plot(measured))
    replace(path, {"micro": words + micro_table(measured)})


def index_plot(measured):
    """Cost of a match over the size of the index, by kind of filter."""
    series = {}
    for line in measured:
        group = line["group"].removeprefix("index, ")
        if group == line["group"] or line["name"] not in ("match, no hit", "match, one hit") or "nanoseconds" not in line:
            continue
        size, _, kind = group.partition(" filters ")
        series.setdefault(f"{kind}, {line['name'].removeprefix('match, ')}", []).append((int(size.replace(",", "")), line["nanoseconds"]))
    chosen = {name: line for name, line in series.items() if name.split(",")[0] in ("exact", "with +", "with #")}
    return plots.lines("A match, by the number of filters", chosen, "filters", "ns", (True, False)) if chosen else None


MICRO = [("instructions", "instructions", 0), ("allocations", "allocations", 2), ("allocated_bytes", "bytes allocated", 0),
         ("nanoseconds", "ns", 1), ("heap_bytes", "bytes kept", 0)]


def micro_table(measured):
    """A table for people; what one operation costs."""
    rows = [f"| | {' | '.join(label for _, label, _ in MICRO)} |", "|---|" + "---:|" * len(MICRO)]
    group = None
    for line in measured:
        if line["group"] != group:
            group = line["group"]
            rows.append(f"| **{group}** |{' |' * len(MICRO)}")
        cells = []
        for name, _, digits in MICRO:
            text = number(line[name], digits) if name in line else ""
            if name == "nanoseconds" and "nanoseconds_least" in line:
                text += f" [{number(line['nanoseconds_least'], digits)}–{number(line['nanoseconds_most'], digits)}]"
            cells.append(text)
        rows.append(f"| {line['name']} | {' | '.join(cells)} |")
    return "\n".join(rows)
