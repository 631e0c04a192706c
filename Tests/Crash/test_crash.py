"""`kill -9` again and again: what was acknowledged is kept."""

import asyncio
import os
import random

from brokers import Apus
from crash import SETTINGS, perform
from workload import Plan

KILLS = int(os.environ.get("CRASH_KILLS", "30"))
SEED = int(os.environ.get("CRASH_SEED", random.randrange(1 << 32)))


def execute(plan, settings):
    async def run():
        broker = Apus(settings)
        try:
            return await perform(plan, broker)
        finally:
            await broker.close()

    outcome = asyncio.run(run())
    print(outcome.summary())
    return outcome


def test_nothing_acknowledged_is_lost():
    outcome = execute(Plan(kills=KILLS, seed=SEED), SETTINGS)
    assert not outcome.faults, f"{outcome.summary()}\n{outcome.explanation()}"
    # A run that did nothing proves nothing.
    assert outcome.run.kills.total() >= KILLS
    assert outcome.run.deliveries > 100 * KILLS


def test_a_broker_that_forgets_is_found_out():
    missed = {"lost", "session", "retained"}
    # When a kill comes is chance, and before the first one little may have been retained: one run need not show it all.
    for run in range(5):
        plan = Plan(kills=2, seed=SEED + run, stalled=1, keeps=False)
        missed -= execute(plan, SETTINGS | {"data.durability": "memory"}).kinds.keys()
        if not missed:
            break
    assert not missed, missed
