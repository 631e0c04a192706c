#!/usr/bin/python3
"""Kills a broker again and again under load, and says what it lost. Exits with 1 when it broke a promise.

    crash.py                                     30 kills
    crash.py --kills 500                         the long version
    crash.py --seed 1234                         the same dice again; the timing differs, so try it some times
    crash.py --broker mosquitto --autosave 1     another broker, for comparison
"""

import argparse
import asyncio
import collections
import random
import shutil
import sys
import time

from brokers import Apus, Mosquitto
from history import Fault, check, owed_to
from workload import Plan, Run, Workload

# Segments so small that the log is vacated all the time, and no limit that could drop a message.
SETTINGS = {
    "data.segmentBytes": 1 << 20,
    "limits.queuedMessagesPerSession": 10_000_000,
    "limits.queuedBytesPerSession": 1 << 32,
    "logging.level": "notice",
}


class Outcome:
    def __init__(self, run, faults, seconds):
        self.run, self.faults, self.seconds = run, faults, seconds

    @property
    def kinds(self):
        return collections.Counter(fault.kind for fault in self.faults)

    def summary(self):
        history = self.run.history
        acknowledged = sum(one.acknowledged is not None for one in history.messages.values())
        repeated = sum(
            len(life.deliveries) - len({one.key for one in life.deliveries}) for life in history.lives
        )
        owed = sum(1 for life in history.lives if not life.ended for _ in owed_to(history, life))
        lines = [
            f"seed {self.run.plan.seed}: {self.run.kills.total()} kills in {self.seconds:.0f} s, "
            f"{len(history.messages)} messages, {acknowledged} acknowledged, {self.run.deliveries} deliveries, "
            f"{owed} of them owed, {repeated} repeated with QoS 1, {len(history.lives)} sessions",
            "kills: " + ", ".join(f"{reason} {count}" for reason, count in sorted(self.run.kills.items())),
            "faults: " + (", ".join(f"{kind} {count}" for kind, count in self.kinds.most_common()) or "none"),
        ]
        return "\n".join(lines)

    def explanation(self, most=5):
        """The first faults of each kind, and what the clients noted of the first."""
        lines, shown = [], collections.Counter()
        for fault in self.faults:
            shown[fault.kind] += 1
            if shown[fault.kind] <= most:
                lines.append(f"{fault.kind}: {fault.text}")
            if shown[fault.kind] == 1:
                lines += self.notes_of(fault)
        return "\n".join(lines)

    def notes_of(self, fault, most=40):
        keys = {word.rstrip(",.") for word in fault.text.split()} & self.run.history.messages.keys()
        if not keys:
            return []
        found = [note for note in self.run.notes if note[3] in keys or note[1] == "broker"]
        about = [place for place, note in enumerate(found) if note[3] in keys]
        near = found[max(0, about[0] - 2):about[-1] + 3] if about else []
        return [f"    {when:.3f} {who:10} {what} {key}" for when, who, what, key in near[:most]]


async def perform(plan, broker):
    """One run against a broker that is closed afterwards."""
    run = Run(broker, plan)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(plan.seconds * 2 + 120):
            faults = await Workload(run).execute()
    except TimeoutError:
        faults = [Fault("stuck", f"the run did not end; the broker said:\n{broker.logged()}"), *check(run.history)]
    await broker.kill()
    if run.plan.keeps and (words := await broker.unsound()):
        faults.append(Fault("unsound", words))
    faults += [Fault("error", line) for line in broker.errors()]
    return Outcome(run, faults, time.monotonic() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=3600, help="stop killing after so long")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--runs", type=int, default=1, help="so many runs, with a seed each")
    parser.add_argument("--broker", choices=["apus", "mosquitto"], default="apus")
    parser.add_argument("--autosave", type=int, help="mosquitto's autosave_interval; without it its default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of Apus")
    parser.add_argument("--notes", help="a file for all that the clients noted")
    parser.add_argument("--keep", metavar="FOLDER", help="after a failure, copy the broker's folder there")
    options = parser.parse_args()
    settings = SETTINGS | dict(text.split("=", 1) for text in options.set)
    failed = False
    for _ in range(options.runs):
        plan = Plan(kills=options.kills, seconds=options.seconds, keeps=settings.get("data.durability") != "memory")
        plan.seed = random.randrange(1 << 32) if options.seed is None else options.seed
        print(f"seed {plan.seed}", flush=True)
        failed |= asyncio.run(one_run(plan, options, settings))
    sys.exit(1 if failed else 0)


async def one_run(plan, options, settings):
    broker = Apus(settings) if options.broker == "apus" else Mosquitto(options.autosave)
    try:
        outcome = await perform(plan, broker)
        print(outcome.summary())
        print(outcome.explanation(), flush=True)
        if options.notes:
            with open(options.notes, "w") as file:
                file.writelines(f"{when:.4f}\t{who}\t{what}\t{key}\n" for when, who, what, key in outcome.run.notes)
        if outcome.faults and options.keep:
            await broker.kill()
            shutil.copytree(broker.folder.name, options.keep, dirs_exist_ok=True)
        return bool(outcome.faults)
    finally:
        await broker.close()


if __name__ == "__main__":
    main()
