"""Clients that remember what they must: sessions that outlive connections, packet identifiers, and a ledger of it all.

The clients never crash; only the broker does. So what they received and acknowledged is the truth that it is judged by.
"""

import asyncio
import collections
import dataclasses
import time

import mqtt
from brokers import PATIENCE
from history import Delivery, Message, Subscription, key_of, payload_of

SESSION_SECONDS = 86_400
# Reasons for which this test itself makes a broker send DISCONNECT: shutting down, session taken over.
EXPECTED_REASONS = {0x8B, 0x8E}
FIRST_FAILURE = 0x80
# A DISCONNECT has no answer that says it is on disk, nor has the return to a session. Seconds until it is.
SETTLING = 0.5


async def eventually(condition, what):
    """Waits for what a test expects; polls."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        await asyncio.sleep(0.01)


class Client:
    """One client identifier, and at most one connection that counts."""

    def __init__(self, run, name, version=5, receive_maximum=None):
        self.run, self.name, self.version, self.receive_maximum = run, name, version, receive_maximum
        self.expiry = SESSION_SECONDS
        self.random = run.random_for(name)
        self.connection = None
        self.lost = asyncio.Event()
        self.lost.set()
        self._connack = None
        self._next_id = 0
        # The broker said by CONNACK that there is a session.
        self.anchored = False
        # The session is being ended: each connection begins clean until one has CONNACK.
        self.ending = False
        # A CONNECT that makes a persistent session has been sent, so there may be one.
        self.may_exist = False

    @property
    def connected(self):
        return not self.lost.is_set()

    async def connect(self, clean=False, will=None):
        """One attempt: the CONNACK, `None` when there was none.

        A connection that still stands goes on until then, so that the broker lets the new one take over.
        """
        answer = asyncio.get_running_loop().create_future()

        def receive(connection, packet):
            if packet.kind == mqtt.CONNACK and not answer.done():
                answer.set_result(packet)
                # At once, before the packets that may follow in the same chunk.
                self._established(connection, packet, clean)
            else:
                self._received(connection, packet)

        def lost(connection):
            if connection.error:
                self.run.history.fault("protocol", f"{self.name}: {connection.error}")
            if not answer.done():
                answer.set_result(None)
            if connection is self.connection:
                self._gone()

        try:
            connection = await mqtt.Connection.dial(self.run.broker.port, self.version, receive, lost)
        except OSError:
            return None
        self._fresh = clean or not self.may_exist
        self.may_exist = self.may_exist or self.version == 5 or not clean
        connection.send(mqtt.connect(
            self.version, self.name, clean=clean, expiry=self.expiry, receive_maximum=self.receive_maximum, will=will,
        ))
        self.note("CONNECT clean" if clean else "CONNECT")
        try:
            async with asyncio.timeout(PATIENCE):
                connack = await answer
        except TimeoutError:
            connection.abort()
            if not self.run.down:
                self.run.history.fault("protocol", f"{self.name}: no CONNACK within {PATIENCE} s")
            return None
        if connack and connack.reason:
            self.run.history.fault("protocol", f"{self.name}: CONNACK with reason {connack.reason:#x}")
            connection.abort()
            return None
        return connack

    async def stay_connected(self):
        """Connects until it works, or the run gives up."""
        while not self.connected:
            if not await self.connect(clean=self.ending):
                await asyncio.sleep(self.random.uniform(0, 0.3))

    def leave(self, politely):
        """Ends the connection and keeps the session."""
        if self.connected:
            self.note("DISCONNECT" if politely else "drop")
            if politely:
                self.connection.close(mqtt.disconnect())
            else:
                self.connection.abort()
            self._gone()

    def note(self, what, key=""):
        self.run.note(self.name, what, key)

    def packet_id(self):
        """The next identifier that nothing holds."""
        while True:
            self._next_id = self._next_id % 65_535 + 1
            if not self.holds(self._next_id):
                return self._next_id

    def send(self, data):
        self.connection.send(data)

    # What the kinds of clients add.

    def holds(self, packet_id):
        return False

    def resumed(self, connack):
        """The session stands, on `self.connection`; the broker may know it or not."""

    def received(self, packet):
        pass

    def forgotten(self):
        """The broker has no session, and had promised one."""

    # Details.

    def _established(self, connection, connack, clean):
        if connack.reason:
            return
        if self.connected:
            self.connection.abort()
            self._gone()
        self.connection = connection
        self.lost.clear()
        self.note(f"CONNACK present={connack.session_present:d}")
        if connack.session_present and self._fresh:
            self.run.history.fault("session", f"{self.name}: a session that cannot be there is present")
        if not connack.session_present and not clean and self.anchored:
            self.run.history.fault("session", f"{self.name}: the session is gone")
            self.forgotten()
        self.anchored = True
        self.run.event("connack")
        self.resumed(connack)

    def _received(self, connection, packet):
        if connection is not self.connection or not self.connected:
            return
        if packet.kind == mqtt.DISCONNECT:
            self.note(f"DISCONNECT {packet.reason:#x}")
            if packet.reason not in EXPECTED_REASONS:
                self.run.history.fault("protocol", f"{self.name}: DISCONNECT with reason {packet.reason:#x}")
        else:
            self.received(packet)

    def _gone(self):
        self.note("connection gone")
        self.lost.set()


@dataclasses.dataclass(slots=True)
class Outgoing:
    message: Message
    payload: bytes
    released: bool = False


class Publisher(Client):
    """Publishes numbered messages in a persistent session; repeats what is unanswered after a reconnect."""

    def __init__(self, run, name, version=5, window=20):
        super().__init__(run, name, version)
        self.window = window
        self.under_way = {}
        self.number = 0

    def holds(self, packet_id):
        return packet_id in self.under_way

    async def publish(self, topic, qos, size, *, retain=False, clears=False):
        """Waits for a connection and for room in the window."""
        while not self.connected or len(self.under_way) >= self.window:
            await self.stay_connected()
            await asyncio.sleep(0.004)
        self.number += 1
        packet_id = self.packet_id()
        message = Message(self.name, self.number, topic, qos, self.run.history.now, retain=retain, clears=clears)
        if self.version == 5 and self.number % 3 == 0:
            message.user = (("number", str(self.number)),)
        outgoing = Outgoing(self.run.history.publish(message), b"" if clears else payload_of(message.key, size))
        self.under_way[packet_id] = outgoing
        self.transmit(packet_id, outgoing)
        self.run.event("publish")

    def transmit(self, packet_id, outgoing, duplicate=False):
        message = outgoing.message
        self.note(f"PUBLISH{' DUP' if duplicate else ''} {packet_id} q{message.qos} {message.topic}", message.key)
        self.send(mqtt.publish(
            self.version, message.topic, outgoing.payload, message.qos, packet_id,
            retain=message.retain, duplicate=duplicate, user=message.user,
        ))

    def resumed(self, connack):
        for packet_id, outgoing in list(self.under_way.items()):
            if not outgoing.released:
                self.transmit(packet_id, outgoing, duplicate=connack.session_present)
            elif connack.session_present:
                self.send(mqtt.acknowledgement(mqtt.PUBREL, packet_id))
            else:
                self.finished(packet_id)

    def received(self, packet):
        outgoing = self.under_way.get(packet.packet_id)
        if packet.kind not in (mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBCOMP):
            return
        if outgoing is None:
            # After a reconnect the answer to the first and to the repeated packet may both come.
            if packet.kind == mqtt.PUBREC:
                self.send(mqtt.acknowledgement(mqtt.PUBREL, packet.packet_id))
            return
        message = outgoing.message
        self.note(f"{ {4: 'PUBACK', 5: 'PUBREC', 7: 'PUBCOMP'}[packet.kind]} {packet.packet_id}", message.key)
        # A repeated PUBREL may be answered with 0x92: the exchange was finished before.
        if packet.reason >= FIRST_FAILURE and packet.kind != mqtt.PUBCOMP:
            self.refused(packet, message)
            self.finished(packet.packet_id)
            return
        if packet.kind != mqtt.PUBCOMP and message.acknowledged is None:
            message.acknowledged = self.run.history.now
        if packet.kind == mqtt.PUBREC:
            outgoing.released = True
            self.run.event("pubrec")
            self.send(mqtt.acknowledgement(mqtt.PUBREL, packet.packet_id))
            self.run.event("pubrel")
        else:
            self.finished(packet.packet_id)
            self.run.event("puback" if packet.kind == mqtt.PUBACK else "pubcomp")

    def refused(self, packet, message):
        if message.acknowledged is None:
            message.forbidden = True
        self.run.history.fault("refused", f"{message.key}: reason {packet.reason:#x}")

    def finished(self, packet_id):
        del self.under_way[packet_id]
        self.run.progress += 1

    async def finish(self):
        """Waits until everything is answered."""
        while self.under_way:
            await self.stay_connected()
            await asyncio.sleep(0.02)


class Subscriber(Client):
    """A persistent session that receives; its `life` in the history changes when the session ends.

    `delay` is the longest time before an acknowledgement, in seconds.
    """

    def __init__(self, run, name, filters, version=5, receive_maximum=None, delay=0.0, clumsiness=0.0):
        super().__init__(run, name, version, receive_maximum)
        self.filters, self.delay, self.clumsiness = filters, delay, clumsiness
        self.life = None
        # Packet identifiers of QoS 2 between PUBLISH and PUBREL, and what they carried.
        self.held = {}
        self.requests = {}
        self.answers = collections.deque()

    def holds(self, packet_id):
        return packet_id in self.requests

    # Subscribing.

    def subscribe(self, filter_text, qos):
        subscription = Subscription(filter_text, qos, self.run.history.now)
        self.life.subscriptions.append(subscription)
        self.ask(subscription)
        return subscription

    def unsubscribe(self, subscription):
        subscription.leaving = self.run.history.now
        self.ask(subscription)

    def ask(self, subscription):
        """Sends SUBSCRIBE or UNSUBSCRIBE, whichever is without an answer."""
        if not self.connected:
            return
        packet_id = self.packet_id()
        self.requests[packet_id] = subscription
        if subscription.leaving is None:
            self.note(f"SUBSCRIBE {packet_id} {subscription.filter}")
            self.send(mqtt.subscribe(self.version, packet_id, [(subscription.filter, subscription.qos)]))
            self.run.event("subscribe")
        else:
            self.note(f"UNSUBSCRIBE {packet_id} {subscription.filter}")
            self.send(mqtt.unsubscribe(self.version, packet_id, [subscription.filter]))
            self.run.event("unsubscribe")

    @property
    def settled(self):
        """Whether every request has its answer."""
        return self.life is not None and all(
            one.granted is not None and (one.leaving is None or one.left is not None) for one in self.life.subscriptions
        )

    # A new session, or the old one.

    def resumed(self, connack):
        self.requests.clear()
        self.answers.clear()
        if not connack.session_present:
            self.held.clear()
        if self.ending:
            self.life = None
            if self.version < 5:
                return
            self.ending = False
        if self.life is None:
            self.life = self.run.history.live(self.name)
            for filter_text, qos in self.filters:
                self.subscribe(filter_text, qos)
            return
        for subscription in self.life.subscriptions:
            if subscription.granted is None or subscription.leaving is not None and subscription.left is None:
                self.ask(subscription)

    def forgotten(self):
        self.life.forgotten = self.run.history.now
        self.life = None

    async def end_session(self):
        """Ends the session and begins another; CONNACK says that it is done."""
        self.leave(politely=self.random.random() < 0.5)
        self.anchored = False
        # Whether the broker sees the CONNECT or not: nothing is owed from now on.
        if self.life:
            self.life.ended = True
        self.ending = True
        await self.stay_connected()
        if self.version < 5:
            # This session ends with its connection.
            self.leave(politely=True)
            self.may_exist = self.anchored = self.ending = False
            await self.stay_connected()

    # Receiving.

    def received(self, packet):
        if packet.kind == mqtt.PUBLISH:
            self.take(packet)
        elif packet.kind == mqtt.PUBREL:
            self.note(f"PUBREL {packet.packet_id}", self.held.get(packet.packet_id, ""))
            self.held.pop(packet.packet_id, None)
            self.answer(mqtt.PUBCOMP, packet.packet_id)
        elif packet.kind in (mqtt.SUBACK, mqtt.UNSUBACK):
            self.granted(packet)

    def granted(self, packet):
        subscription = self.requests.pop(packet.packet_id, None)
        if subscription is None:
            self.run.history.fault("protocol", f"{self.name}: an answer to no request")
            return
        if packet.reasons and packet.reasons[0] >= FIRST_FAILURE:
            self.run.history.fault("refused", f"{self.name}: {subscription.filter} with reason {packet.reasons[0]:#x}")
            return
        self.run.progress += 1
        if packet.kind == mqtt.SUBACK:
            subscription.granted = self.run.history.now
            self.note(f"SUBACK {packet.packet_id} {subscription.filter}")
            self.run.event("suback")
        else:
            subscription.left = self.run.history.now
            self.note(f"UNSUBACK {packet.packet_id} {subscription.filter}")
            self.run.event("unsuback")

    def take(self, packet):
        key = key_of(packet.payload) if packet.payload else ""
        if key is None:
            self.run.history.fault("damaged", f"{self.name}: a payload of {len(packet.payload)} bytes on {packet.topic}")
            return
        self.check_properties(packet, key)
        known = packet.qos == 2 and packet.packet_id in self.held
        self.note(f"got {packet.packet_id} q{packet.qos}{' DUP' if packet.duplicate else ''}"
                  f"{' retained' if packet.retain else ''}{' again' if known else ''}", key)
        if known and self.held[packet.packet_id] != key:
            self.run.history.fault("identifier", f"{self.name}: {key} has the identifier {packet.packet_id} of "
                                                 f"{self.held[packet.packet_id]}, which is not released")
        if not known and key:
            self.life.deliveries.append(Delivery(self.run.history.now, key, packet.qos, packet.retain))
            self.run.progress += 1
            self.run.deliveries += 1
        if packet.qos == 2:
            self.held.setdefault(packet.packet_id, key)
        if self.random.random() < self.clumsiness and not self.run.finishing:
            self.leave(politely=False)
            return
        self.run.event("delivery")
        if packet.qos:
            self.answer(mqtt.PUBACK if packet.qos == 1 else mqtt.PUBREC, packet.packet_id)

    def check_properties(self, packet, key):
        message = self.run.history.messages.get(key)
        user = tuple(packet.properties.get(mqtt.USER_PROPERTY, ()))
        if message and self.version == 5 and user != message.user:
            self.run.history.fault("damaged", f"{self.name}: user properties {user} with {key}")

    def answer(self, kind, packet_id):
        """Acknowledges, in the order of arrival; later when this client is slow."""
        if not self.delay or self.run.finishing:
            self.answer_all()
            self.send(mqtt.acknowledgement(kind, packet_id))
            self.run.event("acknowledge")
            return
        self.answers.append(mqtt.acknowledgement(kind, packet_id))
        asyncio.get_running_loop().call_later(self.random.uniform(0, self.delay), self._answer_one, self.connection)

    def answer_all(self):
        while self.answers:
            self.send(self.answers.popleft())

    def _answer_one(self, connection):
        if self.answers and connection is self.connection and self.connected:
            self.send(self.answers.popleft())
            self.run.event("acknowledge")
