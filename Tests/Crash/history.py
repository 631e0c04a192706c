"""What happened, as the clients saw it, and whether a broker that keeps its word could have done it.

Every event has a number from one clock (`History.now`), so "the SUBACK came before the message was sent" is a comparison
of two numbers. The checker judges nothing else: it knows no broker, no socket and no time of day.
"""

import collections
import dataclasses
import zlib


def matches(filter_text, topic):
    """Whether a topic matches a filter; `$share/group/` in front is left out."""
    wanted, levels = bare(filter_text).split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)


def bare(filter_text):
    return filter_text.split("/", 2)[2] if filter_text.startswith("$share/") else filter_text


FILLER = bytes(range(33, 127)) * 4096


def payload_of(key, size):
    """A payload that names its message and shows damage."""
    filler = FILLER[:size]
    return f"{key} {zlib.crc32(key.encode() + filler):08x} ".encode() + filler


def key_of(payload):
    """The message's key; `None` when the payload is damaged."""
    try:
        key, checksum, filler = payload.split(b" ", 2)
        return key.decode() if zlib.crc32(key + filler) == int(checksum, 16) else None
    except ValueError:
        return None


@dataclasses.dataclass(slots=True)
class Message:
    """A message of the ledger. Its publisher's numbers ascend."""

    publisher: str
    number: int
    topic: str
    qos: int
    # When its first byte may have left.
    sent: int
    retain: bool = False
    # User properties, as pairs.
    user: tuple = ()
    # An empty retained payload: nobody can tell which one a delivery was.
    clears: bool = False
    # When PUBACK or PUBREC came.
    acknowledged: int | None = None
    # A will whose time must come, whenever that is.
    promised: bool = False
    # A will that was taken back, or a message that was refused.
    forbidden: bool = False

    @property
    def key(self):
        return f"{self.publisher}:{self.number}"


@dataclasses.dataclass(slots=True)
class Subscription:
    """From SUBSCRIBE (asked) and SUBACK (granted) to UNSUBSCRIBE (leaving) and UNSUBACK (left)."""

    filter: str
    qos: int
    asked: int
    granted: int | None = None
    leaving: int | None = None
    left: int | None = None

    @property
    def group(self):
        return self.filter.split("/")[1] if self.filter.startswith("$share/") else None

    def owes(self, message):
        """Whether the session must get this message."""
        if self.granted is None or self.granted > message.sent or message.clears or message.forbidden:
            return False
        if message.promised:
            return self.leaving is None
        return message.acknowledged is not None and (self.leaving is None or message.acknowledged < self.leaving)

    def allows(self, message):
        """Whether the session may get it, acknowledged or not."""
        before_its_time = message.acknowledged is not None and message.acknowledged < self.asked
        return not before_its_time and (self.left is None or message.sent < self.left)


@dataclasses.dataclass(slots=True)
class Delivery:
    """A message that came, without what QoS 2 recognised as a repetition."""

    when: int
    key: str
    qos: int
    retain: bool = False


@dataclasses.dataclass(slots=True)
class Life:
    """One session of a subscriber, from its first CONNACK until it is ended."""

    subscriber: str
    subscriptions: list = dataclasses.field(default_factory=list)
    deliveries: list = dataclasses.field(default_factory=list)
    # The client asked for its end, so nothing is owed to it any more.
    ended: bool = False
    # When the client learned that the broker had forgotten it: what was acknowledged by then is still owed.
    forgotten: int | None = None


@dataclasses.dataclass(slots=True)
class Sight:
    """What a new client got for retained topics: topic to key, between two moments."""

    filter: str
    begun: int
    done: int
    values: dict


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    text: str


class History:
    def __init__(self):
        self._clock = 0
        self.messages = {}
        self.by_topic = collections.defaultdict(list)
        self.lives = []
        self.sights = []
        # What is wrong by itself, found while it ran.
        self.faults = []

    @property
    def now(self):
        self._clock += 1
        return self._clock

    def publish(self, message):
        self.messages[message.key] = message
        self.by_topic[message.topic].append(message)
        return message

    def live(self, subscriber):
        life = Life(subscriber)
        self.lives.append(life)
        return life

    def fault(self, kind, text):
        self.faults.append(Fault(kind, text))


# The checker.

def check(history):
    """Every breach of what was promised, as faults; none when all was kept."""
    faults = list(history.faults)
    firsts = [first_deliveries(life) for life in history.lives]
    for life, first in zip(history.lives, firsts):
        faults += check_deliveries(history, life)
        faults += check_order(history, life, first)
        if not life.ended:
            faults += check_missing(life, owed_to(history, life), first)
    faults += check_groups(history)
    for sight in history.sights:
        faults += check_sight(history, sight)
    return faults


def first_deliveries(life):
    """Key to first delivery, in the order in which they came; answers to SUBSCRIBE left out."""
    first = {}
    for delivery in life.deliveries:
        if not delivery.retain:
            first.setdefault(delivery.key, delivery)
    return first


def check_deliveries(history, life):
    """Nothing twice that may come once, nothing that was not wanted, nothing that nobody sent."""
    seen = set()
    for delivery in life.deliveries:
        message = history.messages.get(delivery.key)
        if message is None:
            yield Fault("invented", f"{life.subscriber} got {delivery.key}, which nobody sent")
            continue
        if delivery.retain:
            continue
        if message.forbidden:
            yield Fault("forbidden", f"{life.subscriber} got {message.key}, which was taken back or refused")
        fitting = [one for one in life.subscriptions if matches(one.filter, message.topic)]
        if not any(one.allows(message) for one in fitting):
            yield Fault("unwanted", f"{life.subscriber} got {message.key} on {message.topic} without a subscription")
            continue
        qos = min(message.qos, max(one.qos for one in fitting))
        if delivery.qos != qos:
            yield Fault("qos", f"{life.subscriber} got {message.key} with QoS {delivery.qos} instead of {qos}")
        if delivery.key in seen and qos == 2:
            yield Fault("duplicate", f"{life.subscriber} got {message.key} twice with QoS 2")
        seen.add(delivery.key)


def check_order(history, life, first):
    """By publisher, topic and QoS, the first time of each message counts.

    What a member of a shared subscription sees for the first time may be a publisher's repetition with QoS 1 of what
    another member has had; what a client sees that subscribed in the midst, the repetition of what came before.
    """
    highest = {}
    for key, delivery in first.items():
        message = history.messages.get(key)
        if message and (message.qos == 2 or any(
            not one.group and matches(one.filter, message.topic) and one.granted is not None
            and one.granted < message.sent and (one.leaving is None or one.leaving > delivery.when)
            for one in life.subscriptions
        )):
            stream = (message.publisher, message.topic, message.qos)
            if message.number < highest.get(stream, -1):
                yield Fault("order", f"{life.subscriber} got {key} after {message.publisher}:{highest[stream]}")
            else:
                highest[stream] = message.number


def check_missing(life, owed_messages, first):
    for message in owed_messages:
        if message.key not in first:
            kind = "lost will" if message.promised else "lost"
            yield Fault(kind, f"{life.subscriber} never got {message.key} on {message.topic}, QoS {message.qos}")


def owed_to(history, life):
    """What one session must get, shared subscriptions left out."""
    for subscription in life.subscriptions:
        if not subscription.group:
            for message in owed(history, [subscription]):
                if life.forgotten is None or (message.acknowledged or message.sent) < life.forgotten:
                    yield message


def owed(history, subscriptions):
    """The messages that at least one of the subscriptions must get; all have the same filter."""
    for topic, messages in history.by_topic.items():
        if subscriptions and matches(subscriptions[0].filter, topic):
            for message in messages:
                if any(one.owes(message) for one in subscriptions):
                    yield message


def check_groups(history):
    """A shared subscription: each message to one member, whichever it is."""
    groups = collections.defaultdict(list)
    for life in history.lives:
        for subscription in life.subscriptions:
            if subscription.group:
                groups[subscription.filter].append((life, subscription))
    for filter_text, members in groups.items():
        takers = collections.Counter()
        for life, _ in members:
            takers.update(first_deliveries(life).keys())
        for message in owed(history, [subscription for _, subscription in members]):
            if takers[message.key] == 0:
                yield Fault("lost", f"nobody of {filter_text} got {message.key}")
            if takers[message.key] > 1 and message.qos == 2 and all(one.qos == 2 for _, one in members):
                yield Fault("duplicate", f"{takers[message.key]} members of {filter_text} got {message.key}")


def check_sight(history, sight):
    """A retained value is the last acknowledged one, or a later one that may have arrived."""
    for topic, messages in history.by_topic.items():
        kept = [one for one in messages if one.retain and one.sent < sight.done] if matches(sight.filter, topic) else []
        sure = [one for one in kept if one.acknowledged is not None and one.acknowledged < sight.begun]
        if not kept:
            continue
        last = max(sure, key=lambda one: one.number, default=None)
        possible = [one for one in kept if last is None or one.number >= last.number]
        key = sight.values.get(topic)
        if key is None:
            if last is not None and not any(one.clears for one in possible):
                yield Fault("retained", f"nothing is retained on {topic}; {last.key} was acknowledged")
        elif key not in (one.key for one in possible if not one.clears):
            yield Fault("retained", f"{key} is retained on {topic}; {last.key if last else 'nothing'} was acknowledged last")
