"""Single steps with `kill -9` between them: each state of a handshake, and the clocks that go on while nobody runs."""

import asyncio
import time

import pytest

import mqtt
from brokers import PATIENCE, Apus
from clients import Client, eventually
from crash import SETTINGS
from workload import Plan, Run, Will


class Peer(Client):
    """A client that answers nothing by itself."""

    def __init__(self, run, name, version=5, expiry=None):
        super().__init__(run, name, version)
        self.expiry = self.expiry if expiry is None else expiry
        self.inbox = asyncio.Queue()
        self.present = None

    def resumed(self, connack):
        self.present = connack.session_present
        self.inbox = asyncio.Queue()

    def received(self, packet):
        self.inbox.put_nowait(packet)

    async def join(self, will=None, clean=False):
        """Connects; whether the session was there."""
        assert await self.connect(will=will, clean=clean)
        return self.present

    async def expect(self, kind, packet_id=None):
        async with asyncio.timeout(PATIENCE):
            packet = await self.inbox.get()
        assert packet.kind == kind, packet
        assert packet_id is None or packet.packet_id == packet_id, packet
        return packet

    async def nothing(self):
        """Nothing comes, not even before the answer to a ping, nor soon after."""
        self.send(mqtt.packet(mqtt.PINGREQ << 4))
        await self.expect(mqtt.PINGRESP)
        await asyncio.sleep(0.1)
        assert self.inbox.empty(), self.inbox

    async def subscribe(self, filter_text, qos):
        self.send(mqtt.subscribe(self.version, 9, [(filter_text, qos)]))
        assert (await self.expect(mqtt.SUBACK, 9)).reasons == (qos,)

    def publish(self, qos, packet_id, payload, duplicate=False, **more):
        self.send(mqtt.publish(self.version, "t", payload, qos, packet_id, duplicate=duplicate, **more))

    def acknowledge(self, kind, packet_id):
        self.send(mqtt.acknowledgement(kind, packet_id))


class Stage:
    def __init__(self, broker):
        self.broker, self.run = broker, Run(broker, Plan())

    def peer(self, name, version=5, **more):
        return Peer(self.run, name, version, **more)

    async def crash(self, seconds=0):
        """kill -9, a rest, and a start."""
        self.run.strike("time")
        await self.broker.process.wait()
        await asyncio.sleep(seconds)
        await self.run.begin()


def play(scenario, **settings):
    async def run():
        broker = Apus(SETTINGS | settings)
        stage = Stage(broker)
        try:
            await stage.run.begin()
            await scenario(stage)
            assert not stage.run.history.faults
        finally:
            await broker.close()
    asyncio.run(run())


@pytest.mark.parametrize("version", [4, 5])
def test_the_broker_knows_what_it_received_with_qos_2(version):
    async def scenario(stage):
        reader, writer = stage.peer("reader", version), stage.peer("writer", version)
        await reader.join()
        await reader.subscribe("t", 1)
        await writer.join()
        writer.publish(2, 7, b"one")
        await writer.expect(mqtt.PUBREC, 7)
        await stage.crash()
        assert await writer.join()
        # As if PUBREC had not come.
        writer.publish(2, 7, b"one", duplicate=True)
        await writer.expect(mqtt.PUBREC, 7)
        writer.acknowledge(mqtt.PUBREL, 7)
        await writer.expect(mqtt.PUBCOMP, 7)
        await stage.crash()
        assert await writer.join()
        # As if PUBCOMP had not come, and then a new message.
        writer.acknowledge(mqtt.PUBREL, 7)
        await writer.expect(mqtt.PUBCOMP, 7)
        writer.publish(2, 7, b"two")
        await writer.expect(mqtt.PUBREC, 7)
        await stage.crash()
        assert await reader.join()
        for payload in (b"one", b"two"):
            packet = await reader.expect(mqtt.PUBLISH)
            assert packet.payload == payload
            reader.acknowledge(mqtt.PUBACK, packet.packet_id)
        await reader.nothing()
    play(scenario)


@pytest.mark.parametrize("version", [4, 5])
def test_the_broker_knows_what_it_sent_with_qos_2(version):
    async def scenario(stage):
        reader, writer = stage.peer("reader", version), stage.peer("writer", version)
        await reader.join()
        await reader.subscribe("t", 2)
        await writer.join()
        for number, payload in enumerate([b"one", b"two"], 1):
            writer.publish(2, number, payload)
            await writer.expect(mqtt.PUBREC, number)
        one, two = await reader.expect(mqtt.PUBLISH), await reader.expect(mqtt.PUBLISH)
        await stage.crash()
        assert await reader.join()
        for sent in (one, two):
            again = await reader.expect(mqtt.PUBLISH, sent.packet_id)
            assert again.payload == sent.payload and again.duplicate
        reader.acknowledge(mqtt.PUBREC, one.packet_id)
        await reader.expect(mqtt.PUBREL, one.packet_id)
        await stage.crash()
        assert await reader.join()
        # Of the first only PUBREL is repeated.
        came = sorted([await reader.inbox.get(), await reader.inbox.get()], key=lambda packet: packet.kind)
        assert [(packet.kind, packet.packet_id) for packet in came] == [
            (mqtt.PUBLISH, two.packet_id), (mqtt.PUBREL, one.packet_id),
        ]
        reader.acknowledge(mqtt.PUBCOMP, one.packet_id)
        reader.acknowledge(mqtt.PUBREC, two.packet_id)
        await reader.expect(mqtt.PUBREL, two.packet_id)
        reader.acknowledge(mqtt.PUBCOMP, two.packet_id)
        await reader.nothing()
    play(scenario)


def test_unsubscribed_stays_unsubscribed():
    async def scenario(stage):
        reader, writer = stage.peer("reader"), stage.peer("writer")
        await reader.join()
        await reader.subscribe("t", 1)
        reader.send(mqtt.unsubscribe(5, 3, ["t"]))
        await reader.expect(mqtt.UNSUBACK, 3)
        await stage.crash()
        assert await reader.join()
        await writer.join()
        writer.publish(1, 1, b"unwanted")
        await writer.expect(mqtt.PUBACK)
        await reader.nothing()
    play(scenario)


@pytest.mark.parametrize("version", [4, 5])
def test_an_ended_session_stays_ended(version):
    async def scenario(stage):
        reader = stage.peer("reader", version)
        await reader.join()
        await reader.subscribe("t", 1)
        reader.leave(politely=True)
        # Without an interval, so that nothing outlives this connection.
        reader.expiry = 0
        assert not await reader.join(clean=True)
        await stage.crash()
        reader.may_exist = reader.anchored = False
        assert not await reader.join()
    play(scenario)


@pytest.mark.parametrize("expiry, expected", [(1, False), (60, True)])
def test_a_session_expires_while_the_broker_is_away(expiry, expected):
    async def scenario(stage):
        reader = stage.peer("reader", expiry=expiry)
        await reader.join()
        await reader.subscribe("t", 1)
        reader.leave(politely=True)
        await asyncio.sleep(0.3)
        await stage.crash(seconds=1.5)
        reader.anchored = False
        assert await reader.join() == expected
    play(scenario)


def test_messages_expire_while_the_broker_is_away():
    async def scenario(stage):
        reader, writer = stage.peer("reader"), stage.peer("writer")
        await reader.join()
        await reader.subscribe("t", 2)
        reader.leave(politely=True)
        await writer.join()
        for number, (payload, expiry) in enumerate([(b"short", 1), (b"long", 60), (b"ever", None)], 1):
            writer.publish(2, number, payload, expiry=expiry)
            await writer.expect(mqtt.PUBREC, number)
        await stage.crash(seconds=2.2)
        assert await reader.join()
        long, ever = await reader.expect(mqtt.PUBLISH), await reader.expect(mqtt.PUBLISH)
        assert (long.payload, ever.payload) == (b"long", b"ever")
        assert 30 < long.properties[mqtt.MESSAGE_EXPIRY] <= 58
        assert mqtt.MESSAGE_EXPIRY not in ever.properties
    play(scenario)


def test_a_will_comes_after_its_delay_and_not_before():
    async def scenario(stage):
        reader, writer = stage.peer("reader"), stage.peer("writer")
        await reader.join()
        await reader.subscribe("t", 1)
        await writer.join(will=Will("t", b"last", 1, 2))
        lost = time.monotonic()
        writer.leave(politely=False)
        await asyncio.sleep(0.3)
        await stage.crash()
        await reader.join()
        assert (await reader.expect(mqtt.PUBLISH)).payload == b"last"
        assert time.monotonic() - lost > 1.5
    play(scenario)


def test_memory_forgets():
    async def scenario(stage):
        reader = stage.peer("reader")
        await reader.join()
        await reader.subscribe("t", 1)
        await stage.crash()
        reader.anchored = False
        assert not await reader.join()
        await eventually(lambda: reader.connected, "a connection")
    play(scenario, **{"data.durability": "memory"})
