"""What becomes of messages: P2P, offline messages, QoS and cleanSession, limits, closing."""

import pytest

from apus import eventually
from device import (
    NO_SUBSCRIBERS, NOT_AUTHORIZED, QUOTA_EXCEEDED, SUCCESS, V3, V5, Device, Refused, refusal, signature,
    token_login,
)
from service import ADMIN, FIRST, MESSAGE_ID, TAKEOVER

DENIED = ([0x80], [NOT_AUTHORIZED])


def p2p(client_id, parent="orders"):
    return f"{parent}/p2p/{client_id}"


def fill_and_read(service, client_id, version, sender, topic):
    """Connects the client anew and returns all that came before an end mark to it."""
    with Device(service, client_id, version=version, clean=False) as receiver:
        sender.publish(topic, b"end mark")
        payloads = []
        while b"end mark" not in payloads:
            payloads = receiver.payloads(len(payloads) + 1)
        return payloads[:-1]


# MARK: P2P


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_p2p_needs_no_subscription(service, client_id, version, qos):
    with Device(service, client_id, version=version) as receiver:
        with Device(service, f"{client_id}-s", version=version) as sender:
            sender.publish(p2p(client_id), b"to one", qos=qos)
            assert receiver.payloads(1) == [b"to one"]
            message = receiver.of_peers()[0]
            assert (message.topic, message.qos, message.retain) == (p2p(client_id), qos, False)


def test_p2p_reaches_nobody_else(service, client_id, version):
    """Wildcards do not see it, and the sender does not."""
    with Device(service, client_id, version=version) as receiver, \
            Device(service, f"{client_id}-w", version=version) as witness, \
            Device(service, f"{client_id}-s", version=version) as sender:
        for filter in ["orders/#", "orders/+/+", "orders/+/#"]:
            witness.subscribe(filter, 1)
        sender.subscribe("orders/#", 1)
        sender.publish(p2p(client_id), b"secret")
        assert receiver.payloads(1) == [b"secret"]
        sender.publish("orders/end", b"end")
        assert witness.payloads(1) == [b"end"]
        assert sender.payloads(1) == [b"end"]


@pytest.mark.parametrize("filter", ["orders/p2p/{}", "orders/p2p/#", "orders/p2p/+"])
def test_nobody_subscribes_to_the_p2p_messages_of_another(service, client_id, version, filter):
    with Device(service, client_id, version=version) as receiver, \
            Device(service, f"{client_id}-w", version=version) as witness:
        witness.subscribe(filter.format(client_id), 1)
        with Device(service, f"{client_id}-s", version=version) as sender:
            sender.publish(p2p(client_id), b"secret")
            assert receiver.payloads(1) == [b"secret"]
            sender.publish(p2p(f"{client_id}-w"), b"end")
        # Closed, or served with its own only.
        witness.wait_for_end_or_messages(1)
        assert b"secret" not in [message.payload for message in witness.messages]


def test_p2p_by_any_parent_topic(service, client_id):
    with Device(service, client_id) as receiver, Device(service, f"{client_id}-s") as sender:
        sender.publish(p2p(client_id, "orders"), b"1")
        sender.publish(p2p(client_id, "chat"), b"2")
        assert receiver.payloads(2) == [b"1", b"2"]


def test_p2p_to_nobody(service, client_id):
    with Device(service, client_id) as sender:
        assert sender.publish(p2p("GID_apus@@@nobody-there"), b"x") == NO_SUBSCRIBERS
        assert sender.publish(p2p("GID_none@@@nobody"), b"x") in (NO_SUBSCRIBERS, NOT_AUTHORIZED)
    with Device(service, client_id, version=V3) as sender:
        assert sender.publish(p2p("GID_apus@@@nobody-there"), b"x") == SUCCESS
        assert sender.is_connected


# Sender's cleanSession, QoS, whether it is kept for a receiver that is away.
OFFLINE_P2P = [(True, 0, False), (True, 1, False), (True, 2, False), (False, 0, False), (False, 1, True)]


@pytest.mark.parametrize("clean, qos, kept", OFFLINE_P2P)
def test_p2p_to_who_is_away(service, client_id, version, clean, qos, kept):
    with Device(service, client_id, version=version, clean=False):
        pass
    with Device(service, f"{client_id}-s", version=version, clean=clean) as sender:
        sender.publish(p2p(client_id), b"while away", qos=qos)
        # QoS 0 has no answer; that of the next message shows that it has come.
        sender.publish("chat/x", b"")
        assert fill_and_read(service, client_id, version, sender, p2p(client_id)) == ([b"while away"] if kept else [])


def test_p2p_is_not_kept_for_a_client_that_was_never_there(service, client_id, version):
    with Device(service, f"{client_id}-s", version=version, clean=False) as sender:
        assert sender.publish(p2p(client_id), b"for nobody") == (SUCCESS if version == V3 else NO_SUBSCRIBERS)
        assert fill_and_read(service, client_id, version, sender, p2p(client_id)) == []


def test_p2p_needs_the_right_to_its_topic(service, admin, client_id, version):
    login = token_login({"W": admin.token(FIRST, "W", "orders/p2p/#")})
    with Device(service, client_id, version=version) as receiver:
        with Device(service, f"{client_id}-s", login, version=version) as sender:
            sender.publish(p2p(client_id), b"allowed")
            sender.publish_without_waiting(p2p(client_id, "chat"), b"denied")
            sender.wait_for_end()
        with Device(service, f"{client_id}-t", version=version) as sender:
            sender.publish(p2p(client_id), b"end")
        assert receiver.payloads(2) == [b"allowed", b"end"]


def test_the_receiver_of_p2p_needs_no_right(service, admin, client_id, version):
    login = token_login({"W": admin.token(FIRST, "W", "chat/x")})
    with Device(service, client_id, login, version=version) as receiver, Device(service, f"{client_id}-s") as sender:
        sender.publish(p2p(client_id), b"x")
        assert receiver.payloads(1) == [b"x"]


# MARK: offline messages


def test_offline_messages(service, client_id, name, version):
    topic = f"chat/{name}"
    with Device(service, client_id, version=version, clean=False) as receiver:
        assert receiver.subscribe_all([topic, f"{topic}/+"], 1) == [1, 1]
    with Device(service, f"{client_id}-s", version=version) as sender:
        wanted = [b"%d" % number for number in range(40)]
        # QoS 0 is not kept; what is acknowledged after it shows that it has come.
        sender.publish(topic, b"dropped", qos=0)
        for payload in wanted:
            sender.publish(topic, payload)
        with Device(service, client_id, version=version, clean=False) as receiver:
            assert receiver.session_present
            sender.publish(topic, b"live")
            assert receiver.payloads(41) == [*wanted, b"live"]


def test_a_clean_session_keeps_nothing(service, client_id, name, version):
    topic = f"chat/{name}"
    with Device(service, client_id, version=version) as receiver:
        receiver.subscribe(topic, 1)
    with Device(service, f"{client_id}-s", version=version) as sender:
        sender.publish(topic, b"missed")
        with Device(service, client_id, version=version) as receiver:
            assert not receiver.session_present
            receiver.subscribe(topic, 1)
            sender.publish(topic, b"end")
            assert receiver.payloads(1) == [b"end"]


def test_a_topic_never_subscribed_stores_nothing(service, client_id, name):
    with Device(service, client_id, clean=False):
        pass
    with Device(service, f"{client_id}-s") as sender:
        sender.publish(f"chat/{name}", b"too early")
        with Device(service, client_id, clean=False) as receiver:
            receiver.subscribe(f"chat/{name}", 1)
            sender.publish(f"chat/{name}", b"end")
            assert receiver.payloads(1) == [b"end"]


def test_qos_2_with_a_persistent_session_does_not_take_effect(service, client_id, name, version):
    topic = f"chat/{name}"
    with Device(service, client_id, version=version, clean=False) as receiver, \
            Device(service, f"{client_id}-s") as sender:
        codes = receiver.subscribe(topic, 2)
        assert codes[0] >= 0x80
        assert receiver.is_connected
        assert receiver.subscribe(f"{topic}/end", 1) == [1]
        sender.publish(topic, b"not delivered", qos=2)
        sender.publish(f"{topic}/end", b"end")
        assert receiver.payloads(1) == [b"end"]


@pytest.mark.parametrize("published, subscribed", [(p, s) for p in (0, 1, 2) for s in (0, 1, 2)])
def test_the_smaller_qos_counts(service, client_id, name, published, subscribed):
    with Device(service, client_id) as receiver, Device(service, f"{client_id}-s") as sender:
        assert receiver.subscribe(f"chat/{name}", subscribed) == [subscribed]
        sender.publish(f"chat/{name}", b"x", qos=published)
        receiver.payloads(1)
        assert receiver.of_peers()[0].qos == min(published, subscribed)


def test_the_order_of_one_sender(service, client_id, name, version):
    with Device(service, client_id, version=version) as receiver, Device(service, f"{client_id}-s") as sender:
        receiver.subscribe(f"chat/{name}", 1)
        wanted = [b"%d" % number for number in range(200)]
        for payload in wanted:
            sender.publish_without_waiting(f"chat/{name}", payload)
        assert receiver.payloads(200) == wanted


def test_an_empty_message(service, client_id, name, version):
    with Device(service, client_id, version=version) as receiver:
        receiver.subscribe(f"chat/{name}")
        receiver.publish(f"chat/{name}", b"")
        assert receiver.payloads(1) == [b""]


# MARK: what closes


@pytest.mark.parametrize("topic", ["nowhere", "nowhere/x", "Orders/x", "orders2/x", "/orders/x", "$SYS/x"])
def test_a_publish_without_a_parent_topic_closes(service, client_id, version, topic):
    with Device(service, client_id, version=version) as device:
        device.publish_without_waiting(topic, b"x")
        code, explanation = device.wait_for_end()
        if version == V5:
            assert code in (NOT_AUTHORIZED, 0x90)
            assert explanation


@pytest.mark.parametrize("filter", ["nowhere", "nowhere/#", "#", "+/x"])
def test_a_subscription_without_a_parent_topic_closes(service, client_id, version, filter):
    with Device(service, client_id, version=version) as device:
        codes = device.subscribe(filter)
        assert codes in (None, *DENIED)
        if version == V3:
            assert codes == [0x80]
        code, explanation = device.wait_for_end()
        if version == V5:
            assert code == NOT_AUTHORIZED
            assert explanation


def test_a_deleted_parent_topic(service, client_id, name):
    topic = f"p-{name}"
    assert service.rest("POST", f"/instances/{FIRST}/topics", {"name": topic})[0] == 201
    with Device(service, client_id) as device:
        assert device.still_works(f"{topic}/x")
        assert service.rest("DELETE", f"/instances/{FIRST}/topics/{topic}")[0] == 204
        device.publish_without_waiting(f"{topic}/x", b"x")
        assert device.wait_for_end()[0] == NOT_AUTHORIZED


def test_the_policy_to_refuse_instead_of_closing(service, client_id):
    with Device(service, client_id, instance=TAKEOVER) as device:
        assert device.publish("nowhere/x", b"x") == NOT_AUTHORIZED
        assert device.subscribe("nowhere/x") == [NOT_AUTHORIZED]
        assert device.still_works("orders/x")


def test_a_client_id_in_use_is_refused(service, client_id, version):
    with Device(service, client_id, version=version) as first:
        refused = refusal(service, client_id, signature(client_id), version=version)
        assert refused.code not in (None, SUCCESS)
        if version == V5:
            assert "in use" in refused.words
        assert first.still_works("orders/x")
    with Device(service, client_id, version=version):
        pass


def test_the_policy_to_take_over(service, client_id, version):
    with Device(service, client_id, version=version, instance=TAKEOVER) as first:
        with Device(service, client_id, version=version, instance=TAKEOVER) as second:
            code, _ = first.wait_for_end()
            if version == V5:
                assert code == 0x8E
            assert second.still_works("orders/x")


# MARK: limits


def test_the_length_of_a_topic(service, client_id, version):
    longest = "orders/" + "x" * 57
    with Device(service, client_id, version=version) as device:
        assert device.subscribe(longest) == [1]
        device.publish(longest, b"fits")
        assert device.payloads(1) == [b"fits"]
        device.publish_without_waiting(longest + "x", b"does not")
        device.wait_for_end()
    with Device(service, client_id, version=version) as device:
        assert device.subscribe(longest + "x") != [1]


def test_p2p_does_not_count_towards_the_length(service, version):
    client_id = "GID_apus@@@" + "p" * 53
    with Device(service, client_id, version=version) as device:
        device.publish(p2p(client_id), b"to myself")
        assert device.payloads(1) == [b"to myself"]


def test_characters_count_and_not_bytes(service, client_id):
    longest = "orders/" + "ü" * 57
    with Device(service, client_id) as device:
        assert device.still_works(longest)


def test_the_size_of_a_message(service, client_id, name, version):
    with Device(service, client_id, version=version) as device:
        device.subscribe(f"chat/{name}")
        device.publish(f"chat/{name}", b"x" * 65_536)
        assert [len(payload) for payload in device.payloads(1)] == [65_536]
        device.publish_without_waiting(f"chat/{name}", b"x" * 65_537)
        device.wait_for_end()


def test_a_limit_of_one_instance(service, client_id, name):
    with Device(service, client_id, instance=TAKEOVER) as device:
        assert device.publish("orders/x", b"x" * 1024) in (SUCCESS, NO_SUBSCRIBERS)
        assert device.publish("orders/x", b"x" * 1025) not in (SUCCESS, NO_SUBSCRIBERS)


def test_the_number_of_subscriptions(service, client_id, name, version):
    filters = [f"chat/{name}/{number}" for number in range(30)]
    with Device(service, client_id, version=version) as device:
        assert device.subscribe_all(filters) == [1] * 30
        refused = [0x80] if version == V3 else [QUOTA_EXCEEDED]
        assert device.subscribe(f"chat/{name}/one-more") == refused
        # One that is there may be subscribed again, and room that is made counts.
        assert device.subscribe(filters[0], 0) == [0]
        device.publish(f"chat/{name}/29", b"the last works")
        assert device.payloads(1) == [b"the last works"]
        device.client.unsubscribe(filters[1])
        assert device.subscribe(f"chat/{name}/one-more") == [1]


def test_the_number_of_wildcards_below_a_parent_topic(service, name, version):
    parent = f"w-{name}"
    assert service.rest("POST", f"/instances/{FIRST}/topics", {"name": parent})[0] == 201
    refused = [0x80] if version == V3 else [QUOTA_EXCEEDED]
    devices = [Device(service, f"GID_apus@@@{name}-{number}", version=version) for number in range(5)]
    try:
        for index, device in enumerate(devices[:4]):
            filters = [f"{parent}/{index}/{number}/+" for number in range(25)]
            assert device.subscribe_all(filters) == [1] * 25
        assert devices[4].subscribe(f"{parent}/one/more/#") == refused
        # Without a wildcard there is no such limit, and another parent topic has its own.
        assert devices[4].subscribe(f"{parent}/plain") == [1]
        assert devices[4].subscribe(f"orders/{name}/#") == [1]
    finally:
        for device in devices:
            device.disconnect()
        service.rest("DELETE", f"/instances/{FIRST}/topics/{parent}")


def test_the_number_of_connections(service, name):
    devices = [Device(service, f"GID_apus@@@{name}-{number}", instance=TAKEOVER) for number in range(3)]
    try:
        fourth = f"GID_apus@@@{name}-4"
        assert refusal(service, fourth, signature(fourth, TAKEOVER)).code == QUOTA_EXCEEDED
        devices.pop().disconnect()
        eventually(lambda: is_let_in(service, fourth), "room for the fourth")
    finally:
        for device in devices:
            device.disconnect()


def is_let_in(service, client_id):
    try:
        Device(service, client_id, instance=TAKEOVER).disconnect()
    except Refused:
        return False
    return True


def test_a_long_keep_alive_is_lowered(service, client_id):
    with Device(service, client_id, keepalive=3600) as device:
        assert device.properties.ServerKeepAlive == 480


# MARK: receipts


def test_a_receipt_tells_what_became_of_a_message(service, admin, client_id):
    with Device(service, client_id) as device:
        message = admin("SendMessage", instance_id=FIRST, mqtt_topic=p2p(client_id), payload="x").msg_id
        assert MESSAGE_ID.fullmatch(message)
        device.payloads(1)
        status, receipt = service.rest("GET", f"/instances/{FIRST}/messages/{message}")
        assert status == 200 and receipt["messageId"] == message
        assert {event["kind"] for event in receipt["events"]} >= {"publishedByService", "delivered"}


def receipt(service, message):
    status, answer = service.rest("GET", f"/instances/{FIRST}/messages/{message}/receipt")
    assert status == 200, answer
    return answer


def test_a_receipt_follows_a_message_to_each_receiver(service, client_id, version):
    def publish(topic, **more):
        return service.rest("POST", f"/instances/{FIRST}/publish", {"topic": topic, "payload": "x", **more})[1]["messageId"]

    Device(service, client_id, version=version, clean=False).disconnect()
    message = publish(p2p(client_id), cleanSession=False)
    first = receipt(service, message)
    assert first["topic"] == p2p(client_id) and first["sender"] == f"api/{ADMIN[0]}"
    (one,) = first["receivers"]
    assert (one["clientId"], one["state"]) == (client_id, "stored")
    assert first["publishedAt"] <= one["storedAt"] == one["time"]
    with Device(service, client_id, version=version, clean=False) as device:
        device.payloads(1)
        # The round trip comes behind the PUBACK.
        assert device.still_works("orders/x")
        (one,) = receipt(service, message)["receivers"]
        assert one["state"] == "acknowledged"
        assert one["storedAt"] <= one["deliveredAt"] <= one["acknowledgedAt"] == one["time"]
        message = publish(p2p(client_id), qos=0)
        device.payloads(2)
        (one,) = receipt(service, message)["receivers"]
        assert one["state"] == "delivered" and "acknowledgedAt" not in one
    (one,) = receipt(service, publish(p2p(client_id)))["receivers"]
    assert (one["state"], one["reason"]) == ("dropped", "target_away")
    (one,) = receipt(service, publish(p2p("GID_apus@@@nobody")))["receivers"]
    assert (one["clientId"], one["state"], one["reason"]) == ("GID_apus@@@nobody", "dropped", "unknown_target")
    shown = service.command("receipt", message, "-I", FIRST).stdout
    assert client_id in shown and "delivered" in shown


def test_what_is_not_remembered_has_no_receipt(service):
    unknown = "41505553000000010000000000000001"[:31] + "F"
    status, answer = service.rest("GET", f"/instances/{FIRST}/messages/{unknown}/receipt")
    assert status == 404 and "not remembered any more" in answer["error"]["message"]
    done = service.command("receipt", unknown, "-I", FIRST, check=False)
    assert done.returncode == 1 and "not remembered any more" in done.stderr


# MARK: bounds that hold for the API too


def test_the_rate_of_the_instance_counts_for_the_api(service, client_id):
    name = f"rate-{client_id[-4:]}".lower()
    make = {"id": name, "account": "shop", "profile": "standard", "limits": {"publishPerSecond": 5}}
    status, made = service.rest("POST", "/instances", make)
    assert status == 201, made
    try:
        answers = [
            service.rest("POST", f"/instances/{name}/publish", {"topic": "t", "payload": "x"}) for _ in range(60)
        ]
        assert {status for status, _ in answers} == {200, 429}
        refused = next(body for status, body in answers if status == 429)
        assert "publishPerSecond of 5" in refused["error"]["message"]
    finally:
        service.rest("DELETE", f"/instances/{name}")


def test_the_api_retains_no_more_than_the_instance_may(service, client_id):
    name = f"kept-{client_id[-4:]}".lower()
    make = {"id": name, "account": "shop", "profile": "standard", "limits": {"retainedMessages": 1}}
    status, made = service.rest("POST", "/instances", make)
    assert status == 201, made
    try:
        one = {"topic": "one", "payload": "x", "retain": True}
        assert service.rest("POST", f"/instances/{name}/publish", one)[0] == 200
        status, refused = service.rest("POST", f"/instances/{name}/publish", {**one, "topic": "two"})
        assert status == 409 and "retainedMessages of 1" in refused["error"]["message"]
        assert [item["topic"] for item in service.rest("GET", f"/instances/{name}/retained")[1]["items"]] == ["one"]
    finally:
        service.rest("DELETE", f"/instances/{name}")


def test_the_trace_tells_a_message_of_the_api_from_those_of_devices(service, client_id):
    name = f"look-{client_id[-4:]}".lower()
    status, made = service.rest("POST", "/instances", {"id": name, "account": "shop", "profile": "standard"})
    assert status == 201, made
    try:
        status, sent = service.rest("POST", f"/instances/{name}/publish", {"topic": "t", "payload": "x"})
        assert status == 200
        status, trace = service.rest("GET", f"/instances/{name}/messages/{sent['messageId']}")
        assert [event["kind"] for event in trace["events"]] == ["publishedByService"]
    finally:
        service.rest("DELETE", f"/instances/{name}")
