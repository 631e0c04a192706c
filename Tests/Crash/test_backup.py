"""A backup that is taken while the broker is busy holds all that was acknowledged before it began."""

import asyncio
import os

from brokers import Apus
from clients import Publisher, Subscriber, eventually
from crash import SETTINGS
from history import check, owed_to
from workload import Plan, Run


async def publishing(publisher, until):
    number = 0
    while not until.is_set():
        number += 1
        await publisher.publish(f"kept/{number % 7}", 1 + number % 2, 500, retain=number % 5 == 0)
    await publisher.finish()


async def scenario(broker, restored):
    run = Run(broker, Plan())
    history = run.history
    await run.begin()
    absent = Subscriber(run, "absent", [("kept/+", 2)])
    await absent.stay_connected()
    await eventually(lambda: absent.settled, "SUBACK")
    absent.leave(politely=True)
    publishers, until = [Publisher(run, f"p{number}") for number in range(3)], asyncio.Event()
    tasks = [asyncio.ensure_future(publishing(publisher, until)) for publisher in publishers]
    await eventually(lambda: len(history.messages) > 1000, "the first messages")
    before = history.now
    archive = os.path.join(broker.folder.name, "archive")
    status, text = await broker.tool("backup", "--data", broker.data, "--to", archive)
    assert status == 0, text
    until.set()
    await asyncio.gather(*tasks)
    await broker.kill()
    status, text = await restored.tool("restore", "--from", archive, "--data", restored.data)
    assert status == 0, text
    # What came after the backup began may be in it or not.
    for message in history.messages.values():
        if message.acknowledged > before:
            message.acknowledged = None
    again = Run(restored, Plan())
    again.history = history
    await again.begin()
    absent.run = again
    await absent.stay_connected()
    owed = {message.key for message in owed_to(history, absent.life)}
    assert len(owed) > 900
    await eventually(lambda: owed <= {one.key for one in absent.life.deliveries}, "all of the backup")
    assert check(history) == []
    # Every topic has its retained message.
    watcher = Subscriber(again, "watcher", [("kept/+", 1)])
    await watcher.stay_connected()
    await eventually(lambda: len({history.messages[one.key].topic for one in watcher.life.deliveries}) == 7, "retained messages")


def test_a_backup_of_a_busy_broker_is_complete():
    async def both():
        broker, restored = Apus(SETTINGS), Apus(SETTINGS)
        try:
            await scenario(broker, restored)
        finally:
            await broker.close()
            await restored.close()
    asyncio.run(both())
