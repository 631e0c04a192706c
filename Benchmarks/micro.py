#!/usr/bin/python3
"""Runs the micro-benchmarks: what one operation of the broker's parts costs. See README.md.

Wall time, allocations and memory come from a run at full speed; instructions from the processor's counter or, where the
machine does not let it be read, from a second run on Callgrind's simulated processor.
"""

import argparse
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import compare
import document
import places
import system

ROOT = places.ROOT


def native(options, arguments):
    """A line for each benchmark."""
    done = subprocess.run([options.binary, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def simulated(options, arguments, folder):
    """Instructions of one operation by (group, name), and what was counted with; or why nothing was."""
    missing = [tool for tool in ("valgrind", "strip") if not shutil.which(tool)]
    if missing:
        return {}, f"not available: the processor's counter cannot be read here, and there is no `{'` and no `'.join(missing)}`"
    # Valgrind does not understand all that Swift says about debugging.
    binary = folder / "stripped"
    subprocess.run(["strip", "--strip-debug", "-o", binary, options.binary], check=True)
    out = folder / "callgrind"
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", "-q", binary, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {}, f"not available: valgrind failed: {' '.join(done.stderr.split())[-200:]}"
    operations = {}
    for line in map(json.loads, done.stdout.splitlines()):
        operations[f"{line['group']}: {line['name']}"] = (line["group"], line["name"], line["operations"])
    counts = {}
    for file in folder.glob("callgrind.*"):
        text = file.read_text(errors="replace")
        name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if name and total and name.group(1) in operations:
            group, title, count = operations[name.group(1)]
            counts[group, title] = int(total.group(1)) / count
    if not counts:
        return {}, "not available: the binary was built without valgrind's headers"
    return counts, f"{system.output_of(['valgrind', '--version'])}, Callgrind"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / ".build" / "release" / "ApusMicrobench")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that everything works")
    parser.add_argument("--only", action="append", default=[], help="decoder, encoder, window, log or index; may be repeated")
    parser.add_argument("--no-callgrind", action="store_true", help="count no instructions where the processor's counter cannot be read")
    places.add_options(parser)
    options = parser.parse_args()
    if not options.binary.exists():
        raise SystemExit(f"micro: there is no {options.binary}; swift build --product ApusMicrobench makes it")
    places.choose(options, "micro.jsonl", "quick" if options.quick else "some parts only" if options.only else "")
    arguments = [word for group in options.only for word in ("--only", group)] + (["--quick"] if options.quick else [])
    with tempfile.TemporaryDirectory(prefix="micro-", dir=options.folder) as folder:
        folder = pathlib.Path(folder).absolute()
        lines = native(options, [*arguments, "--folder", folder])
        if any("instructions" in line for line in lines):
            source = "the processor's counter, outside the kernel"
        elif options.no_callgrind:
            source = "not counted"
        else:
            counts, source = simulated(options, [*arguments, "--folder", folder], folder)
            for line in lines:
                if (count := counts.get((line["group"], line["name"]))) is not None:
                    line["instructions"] = round(count, 1)
    number = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    has_allocations = any("allocations" in line for line in lines)
    run = {
        "kind": "run", "run": number, "machine": system.machine(), "commit": compare.commit(), "instructions": source,
        "allocations": "calls of malloc and its kin, counted in front of glibc's" if has_allocations else "not available: no glibc",
    }
    with open(options.out, "w") as file:
        for line in [run, *({"kind": "result", "run": number} | line for line in lines)]:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"Instructions: {run['instructions']}. Allocations: {run['allocations']}.\n")
    print(document.micro_table(lines))
    if options.document.name:
        document.write_micro(options.document, options.out)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nmicro: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)
