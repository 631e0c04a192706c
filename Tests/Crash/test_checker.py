"""The checker on forged histories: what a broker that keeps its word does is accepted, every breach is found."""

import pytest

from history import Delivery, History, Message, Sight, Subscription, check, key_of, matches, payload_of


class Forgery:
    """A history made by hand; what does not matter gets the next moment."""

    def __init__(self, qos=2):
        self.history = History()
        self.life = self.history.live("s")
        self.subscription = self.subscribe("t/#", qos)

    def subscribe(self, filter_text, qos=2, life=None):
        made = Subscription(filter_text, qos, asked=self.history.now, granted=self.history.now)
        (life or self.life).subscriptions.append(made)
        return made

    def publish(self, number, qos=2, acknowledged=True, topic="t/a", **more):
        message = self.history.publish(Message("p", number, topic, qos, sent=self.history.now, **more))
        if acknowledged:
            message.acknowledged = self.history.now
        return message

    def deliver(self, *messages, life=None, **more):
        for message in messages:
            delivery = Delivery(self.history.now, message.key, message.qos, **more)
            (life or self.life).deliveries.append(delivery)

    @property
    def kinds(self):
        return [fault.kind for fault in check(self.history)]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_kept_is_accepted(qos):
    forged = Forgery()
    forged.deliver(*[forged.publish(number, qos) for number in range(5)])
    assert forged.kinds == []


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("missing", [0, 2, 4])
def test_a_lost_message_is_found(qos, missing):
    forged = Forgery()
    messages = [forged.publish(number, qos) for number in range(5)]
    forged.deliver(*[message for message in messages if message.number != missing])
    assert forged.kinds == ["lost"]


def test_what_was_never_acknowledged_may_be_lost_or_come():
    forged = Forgery()
    forged.publish(0, acknowledged=False)
    forged.deliver(forged.publish(1, acknowledged=False))
    assert forged.kinds == []


def test_a_duplicate_with_qos_2_is_found():
    forged = Forgery()
    message = forged.publish(0)
    forged.deliver(message, message)
    assert forged.kinds == ["duplicate"]


def test_a_duplicate_with_qos_1_is_accepted():
    forged = Forgery()
    message = forged.publish(0, qos=1)
    forged.deliver(message, message)
    assert forged.kinds == []


@pytest.mark.parametrize("qos", [1, 2])
def test_the_wrong_order_is_found(qos):
    forged = Forgery()
    first, second = forged.publish(0, qos), forged.publish(1, qos)
    forged.deliver(second, first)
    assert forged.kinds == ["order"]


def test_a_repetition_is_no_wrong_order_with_qos_1():
    forged = Forgery()
    first, second = forged.publish(0, qos=1), forged.publish(1, qos=1)
    forged.deliver(first, second, first, second)
    assert forged.kinds == []


@pytest.mark.parametrize("qos, expected", [(1, []), (2, ["order"])])
def test_a_repetition_of_what_was_sent_before_suback_has_no_order_with_qos_1(qos, expected):
    forged = Forgery()
    early = forged.publish(0, qos, acknowledged=False)
    forged.subscription.granted = forged.history.now
    late = forged.publish(1, qos)
    forged.deliver(late, early)
    early.acknowledged = forged.history.now
    assert forged.kinds == expected


def test_an_earlier_subscription_does_not_make_an_order():
    forged = Forgery()
    forged.subscription.leaving = forged.subscription.left = forged.history.now
    early = forged.publish(0, qos=1, acknowledged=False)
    forged.subscribe("t/#")
    forged.deliver(forged.publish(1, qos=1), early)
    assert forged.kinds == []


def test_topics_and_qos_have_an_order_each():
    forged = Forgery()
    one, two, three = forged.publish(0), forged.publish(1, topic="t/b"), forged.publish(2, qos=1)
    forged.deliver(three, two, one)
    assert forged.kinds == []


def test_nothing_is_owed_before_suback():
    forged = Forgery()
    forged.subscription.granted = None
    forged.publish(0)
    assert forged.kinds == []
    forged.subscription.granted = forged.history.now
    assert forged.kinds == []
    forged.publish(1)
    assert forged.kinds == ["lost"]


def test_what_was_acknowledged_before_unsubscribe_is_owed():
    forged = Forgery()
    forged.publish(0)
    forged.subscription.leaving = forged.history.now
    forged.publish(1)
    assert forged.kinds == ["lost"]


def test_what_was_sent_after_unsuback_is_unwanted():
    forged = Forgery()
    forged.subscription.leaving = forged.history.now
    forged.deliver(forged.publish(0))
    assert forged.kinds == []
    forged.subscription.left = forged.history.now
    forged.deliver(forged.publish(1))
    assert forged.kinds == ["unwanted"]


def test_what_was_acknowledged_before_subscribe_is_unwanted():
    forged = Forgery()
    early = forged.publish(0, topic="u")
    forged.subscribe("u")
    forged.deliver(early)
    assert forged.kinds == ["unwanted"]


def test_nothing_is_owed_to_an_ended_session_but_its_order_counts():
    forged = Forgery()
    first, second, third = (forged.publish(number) for number in range(3))
    forged.deliver(third, first)
    forged.life.ended = True
    assert forged.kinds == ["order"]
    assert second.acknowledged


def test_a_forgotten_session_is_owed_what_was_acknowledged_until_then():
    forged = Forgery()
    forged.publish(0)
    forged.life.forgotten = forged.history.now
    forged.publish(1)
    assert forged.kinds == ["lost"]


def test_a_message_that_nobody_sent_is_found():
    forged = Forgery()
    forged.deliver(Message("x", 1, "t/a", 2, sent=0))
    assert forged.kinds == ["invented"]


def test_a_lower_qos_is_found():
    forged = Forgery()
    message = forged.publish(0)
    forged.life.deliveries.append(Delivery(forged.history.now, message.key, qos=1))
    assert forged.kinds == ["qos"]


def test_the_subscription_bounds_the_qos():
    forged = Forgery(qos=1)
    message = forged.publish(0)
    forged.life.deliveries += [Delivery(forged.history.now, message.key, qos=1)] * 2
    assert forged.kinds == []


def test_a_promised_will_that_did_not_come_is_found():
    forged = Forgery()
    forged.publish(0, acknowledged=False, promised=True)
    assert forged.kinds == ["lost will"]


def test_a_will_that_was_taken_back_is_found():
    forged = Forgery()
    forged.deliver(forged.publish(0, acknowledged=False, forbidden=True))
    assert forged.kinds == ["forbidden"]


def test_an_answer_to_subscribe_is_no_delivery():
    forged = Forgery()
    message = forged.publish(0, retain=True)
    forged.deliver(message, retain=True)
    assert forged.kinds == ["lost"]
    forged.deliver(message)
    forged.deliver(message, retain=True)
    assert forged.kinds == []


class TestGroups:
    def forge(self):
        forged = Forgery()
        forged.life.subscriptions.clear()
        other = forged.history.live("s2")
        forged.subscribe("$share/g/t/#")
        forged.subscribe("$share/g/t/#", life=other)
        return forged, other

    def test_each_message_to_any_member_is_accepted(self):
        forged, other = self.forge()
        forged.deliver(forged.publish(0))
        forged.deliver(forged.publish(1), life=other)
        assert forged.kinds == []

    def test_a_message_for_nobody_is_found(self):
        forged, _ = self.forge()
        forged.publish(0)
        assert forged.kinds == ["lost"]

    def test_a_message_for_two_is_found(self):
        forged, other = self.forge()
        message = forged.publish(0)
        forged.deliver(message)
        forged.deliver(message, life=other)
        assert forged.kinds == ["duplicate"]

    @pytest.mark.parametrize("qos, expected", [(1, []), (2, ["order"])])
    def test_only_what_comes_once_has_an_order(self, qos, expected):
        forged, _ = self.forge()
        first, second = forged.publish(0, qos), forged.publish(1, qos)
        forged.deliver(second, first)
        assert forged.kinds == expected


class TestRetained:
    def sight(self, forged, values):
        forged.history.sights = [Sight("t/#", forged.history.now, forged.history.now, values)]
        forged.life.subscriptions.clear()
        return forged.kinds

    def test_the_last_acknowledged_one_or_a_later_one_is_accepted(self):
        forged = Forgery()
        messages = [forged.publish(number, retain=True, acknowledged=number < 2) for number in range(4)]
        for message, expected in zip(messages, [["retained"], [], [], []]):
            assert self.sight(forged, {"t/a": message.key}) == expected

    def test_a_missing_one_is_found(self):
        forged = Forgery()
        forged.publish(0, retain=True)
        assert self.sight(forged, {}) == ["retained"]

    def test_a_cleared_one_must_be_gone(self):
        forged = Forgery()
        old = forged.publish(0, retain=True)
        forged.publish(1, retain=True, clears=True)
        assert self.sight(forged, {}) == []
        assert self.sight(forged, {"t/a": old.key}) == ["retained"]

    def test_clearing_that_was_not_acknowledged_may_have_happened(self):
        forged = Forgery()
        old = forged.publish(0, retain=True)
        forged.publish(1, retain=True, clears=True, acknowledged=False)
        assert self.sight(forged, {}) == []
        assert self.sight(forged, {"t/a": old.key}) == []


def test_damage_in_a_payload_is_seen():
    whole = payload_of("p:1", 100)
    assert key_of(whole) == "p:1"
    assert key_of(payload_of("p:1", 0)) == "p:1"
    for place in range(len(whole)):
        assert key_of(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1:]) != "p:1"
        assert key_of(whole[:place]) is None


@pytest.mark.parametrize("filter_text, topic, expected", [
    ("a/b", "a/b", True), ("a/+", "a/b", True), ("a/#", "a", True), ("a/#", "a/b/c", True), ("#", "a/b", True),
    ("$share/g/a/+", "a/b", True), ("a/b", "a", False), ("a", "a/b", False), ("a/+", "a", False), ("+/c", "a/b", False),
])
def test_filters_match_topics(filter_text, topic, expected):
    assert matches(filter_text, topic) == expected
