"""A full disk: nothing is acknowledged that is not kept, the rest goes on, and service resumes by itself."""

import asyncio
import subprocess
import time

import pytest

from brokers import PATIENCE, Apus
from clients import Publisher, Subscriber, eventually
from crash import SETTINGS
from history import check, owed_to
from workload import Plan, Run

QUOTA_EXCEEDED = 0x97
SIZE = 10_000


class Refused(Publisher):
    """A publisher that expects to be refused."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.reasons = []

    def refused(self, packet, message):
        message.forbidden = True
        self.reasons.append(packet.reason)


class Scene:
    """A broker with little room, an absent subscriber, one that is there without a stored session, and publishers."""

    def __init__(self, broker):
        self.broker, self.run = broker, Run(broker, Plan())
        self.absent = Subscriber(self.run, "absent", [("full/#", 2)])
        self.five = Refused(self.run, "five")
        self.four = Refused(self.run, "four", version=4)

    async def begin(self):
        await self.run.begin()
        await self.absent.stay_connected()
        await eventually(lambda: self.absent.settled, "SUBACK")
        self.absent.leave(politely=True)

    async def fill(self, qos):
        """Publishes until the broker says that it is full."""
        for _ in range(100_000_000 // SIZE):
            if self.five.reasons:
                break
            await self.five.publish("full/five", qos, SIZE)
        await self.five.finish()
        assert set(self.five.reasons) == {QUOTA_EXCEEDED}, self.broker.logged()

    async def drain(self):
        await self.absent.stay_connected()
        kept = {message.key for message in owed_to(self.run.history, self.absent.life)}
        await eventually(lambda: kept <= {one.key for one in self.absent.life.deliveries}, "the backlog")

    async def accepts(self):
        """Until a publish that needs the disk is acknowledged."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.five.reasons.clear()
            await self.five.publish("full/five", 1, 100)
            await self.five.finish()
            if not self.five.reasons:
                return
            assert time.monotonic() < deadline, f"service does not resume; the broker said:\n{self.broker.logged()}"
            await asyncio.sleep(0.1)

    def verdict(self):
        assert check(self.run.history) == []


def play(broker, scenario):
    async def run():
        try:
            scene = Scene(broker)
            await scene.begin()
            await scenario(scene)
            scene.verdict()
        finally:
            await broker.close()
    asyncio.run(run())


def limited():
    """A limit of Apus itself."""
    return Apus(SETTINGS | {"data.maximumBytes": 8 << 20})


def small_disk():
    """A file system of 8 MiB, seen by the broker alone."""
    inside = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*inside, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode:
        pytest.skip("no file systems without root here")
    broker = Apus(SETTINGS)
    script = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'
    broker.wrapper = [*inside, "sh", "-c", script, broker.data]
    return broker


@pytest.mark.parametrize("room", [limited, small_disk])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_full_disk_refuses_and_recovers_by_itself(room, qos):
    async def scenario(scene):
        await scene.fill(qos)
        # 3.1.1 has no word for it: no acknowledgement, and the connection stands.
        await scene.four.publish("full/four", qos, SIZE)
        # What needs no disk goes on, and so does what needs little of it.
        there = Subscriber(scene.run, "there", [("open/#", 1)])
        await there.stay_connected()
        await eventually(lambda: there.settled, "SUBACK while the disk is full")
        there.leave(politely=True)
        await scene.five.publish("nobody/wants/this", qos, 10)
        await scene.five.finish()
        assert scene.five.connected and scene.four.connected and scene.four.under_way
        await scene.drain()
        await scene.accepts()
        # The one that was left unanswered comes again.
        scene.four.leave(politely=False)
        await scene.four.finish()
        await scene.drain()
    play(room(), scenario)


def test_a_full_disk_is_no_obstacle_for_a_restart():
    async def scenario(scene):
        await scene.fill(1)
        await scene.broker.kill()
        await scene.run.begin()
        await scene.drain()
        await scene.accepts()
        await scene.drain()
    play(limited(), scenario)


def test_a_second_process_on_the_same_directory_is_refused():
    async def scenario(scene):
        second = Apus()
        second.data = scene.broker.data
        try:
            await second.spawn()
            async with asyncio.timeout(PATIENCE):
                assert await second.process.wait() != 0
            assert str(scene.broker.process.pid) in second.logged()
        finally:
            await second.close()
    play(Apus(SETTINGS), scenario)
