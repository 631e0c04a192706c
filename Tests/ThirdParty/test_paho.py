"""paho-mqtt 1.6 of Debian, 3.1.1 and 5.0, over TCP and WebSocket."""

import paho.mqtt.client as paho
import pytest

from apus import eventually
from paho_client import Paho

BOTH = pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5.0"])
TRANSPORTS = pytest.mark.parametrize("transport", ["tcp", "websockets"])


def place(broker, transport="tcp"):
    return broker.endpoint("ws" if transport == "websockets" else "mqtt")


@BOTH
@TRANSPORTS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_arrives(broker, name, version, transport, qos):
    with Paho(place(broker, transport), name, version=version, transport=transport) as client:
        assert client.subscribe(name, qos) == [qos]
        client.publish(name, b"hello", qos)
        (message,) = client.wait_for_messages(1)
        assert (message.topic, message.payload, message.qos, message.retain) == (name, b"hello", qos, False)


@BOTH
def test_a_session_is_kept_with_its_messages(broker, name, version):
    keep = {"version": version, "clean": False, "expiry": 60}
    with Paho(place(broker), name, **keep) as first:
        assert not first.session_present
        first.subscribe(f"{name}/#", 1)
    with Paho(place(broker), f"{name}-sender", version=version) as sender:
        for number in range(20):
            sender.publish(f"{name}/{number}", str(number), 1 + number % 2)
    with Paho(place(broker), name, **keep) as second:
        assert second.session_present
        assert second.payloads(20) == [str(number).encode() for number in range(20)]


@BOTH
@TRANSPORTS
def test_a_large_payload_arrives_unchanged(broker, name, version, transport):
    payload = bytes(range(256)) * 3600
    with Paho(place(broker, transport), name, version=version, transport=transport) as client:
        client.subscribe(name, 1)
        client.publish(name, payload, 1)
        assert client.payloads(1) == [payload]


@BOTH
@TRANSPORTS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_thousand_messages_keep_their_order(broker, name, version, transport, qos):
    with Paho(place(broker, transport), f"{name}-receiver", version=version, transport=transport) as receiver, \
            Paho(place(broker, transport), f"{name}-sender", version=version, transport=transport) as sender:
        receiver.subscribe(name, qos)
        sender.client.max_inflight_messages_set(100)
        mids = [sender.publish(name, str(number), qos, wait=False) for number in range(1000)]
        assert receiver.payloads(1000) == [str(number).encode() for number in range(1000)]
        sender.wait_for_acknowledgements(mids)
        assert len(receiver.messages) == 1000


@BOTH
def test_wildcards_choose(broker, name, version):
    with Paho(place(broker), name, version=version) as client:
        client.subscribe(f"{name}/+/temperature", 1)
        client.subscribe(f"{name}/hall/#", 1)
        for topic in ["room/temperature", "room/humidity", "hall/door", "hall", "room/a/temperature"]:
            client.publish(f"{name}/{topic}", topic)
        client.publish(f"{name}/end/temperature", "end")
        assert client.payloads(4) == [b"room/temperature", b"hall/door", b"hall", b"end"]


@BOTH
def test_nothing_comes_after_unsubscribe(broker, name, version):
    with Paho(place(broker), name, version=version) as client:
        client.subscribe(name, 1)
        client.subscribe(f"{name}/end", 1)
        client.unsubscribe(name)
        client.publish(name, "no")
        client.publish(f"{name}/end", "end")
        assert client.payloads(1) == [b"end"]


@BOTH
def test_retained_messages_come_and_go(broker, name, version):
    with Paho(place(broker), name, version=version) as client:
        client.publish(f"{name}/a", "kept", retain=True)
        client.publish(f"{name}/b", "removed", retain=True)
        client.publish(f"{name}/b", "", retain=True)
        client.subscribe(f"{name}/#", 1)
        client.publish(f"{name}/c", "end")
        assert [(message.payload, message.retain) for message in client.wait_for_messages(2)] == \
            [(b"kept", True), (b"end", False)]


@BOTH
def test_a_will_is_published_for_a_broken_connection(broker, name, version):
    will = {"topic": f"{name}/will", "payload": b"gone", "qos": 1, "retain": True}
    with Paho(place(broker), f"{name}-witness", version=version) as witness:
        witness.subscribe(f"{name}/will", 1)
        Paho(place(broker), name, version=version, will=will).drop()
        assert witness.payloads(1) == [b"gone"]


@BOTH
def test_no_will_is_published_after_disconnect(broker, name, version):
    will = {"topic": f"{name}/will", "payload": b"gone", "qos": 1}
    with Paho(place(broker), f"{name}-witness", version=version) as witness:
        witness.subscribe(f"{name}/#", 1)
        Paho(place(broker), name, version=version, will=will).disconnect()
        with Paho(place(broker), name, version=version) as again:
            again.publish(f"{name}/end", "end")
        assert witness.payloads(1) == [b"end"]


@BOTH
def test_a_newer_connection_takes_over(broker, name, version):
    first = Paho(place(broker), name, version=version)
    # paho would come back and take over in turn.
    first.client.reconnect_delay_set(600, 600)
    with Paho(place(broker), name, version=version) as second:
        assert first.wait_for_disconnect() == (0x8E if version == paho.MQTTv5 else paho.MQTT_ERR_CONN_LOST)
        first.disconnect()
        second.subscribe(name, 1)
        second.publish(name, "mine")
        assert second.payloads(1) == [b"mine"]


def test_properties_arrive(broker, name):
    with Paho(place(broker), name) as client:
        client.subscribe(name, 1)
        client.publish(
            name, "x", PayloadFormatIndicator=1, ContentType="text/plain", ResponseTopic="answers",
            CorrelationData=b"\x00\xff", UserProperty=[("b", "1"), ("a", "2"), ("b", "3")], MessageExpiryInterval=60,
        )
        (message,) = client.wait_for_messages(1)
        came = message.properties
        assert (came.PayloadFormatIndicator, came.ContentType, came.ResponseTopic, came.CorrelationData) == \
            (1, "text/plain", "answers", b"\x00\xff")
        assert came.UserProperty == [("b", "1"), ("a", "2"), ("b", "3")]
        assert 58 <= came.MessageExpiryInterval <= 60


def test_no_local_and_retain_as_published(broker, name):
    with Paho(place(broker), f"{name}-a") as first, Paho(place(broker), f"{name}-b") as second:
        first.subscribe(name, 1, noLocal=True, retainAsPublished=True)
        first.publish(name, "own", retain=True)
        second.publish(name, "other", retain=True)
        (message,) = first.wait_for_messages(1)
        assert (message.payload, message.retain) == (b"other", True)


def test_a_shared_subscription_spreads_the_work(broker, name):
    members = [Paho(place(broker), f"{name}-{number}") for number in range(3)]
    try:
        for member in members:
            member.subscribe(f"$share/group/{name}", 1)
        with Paho(place(broker), f"{name}-sender") as sender:
            mids = [sender.publish(name, str(number), 1, wait=False) for number in range(300)]
            sender.wait_for_acknowledgements(mids)
            eventually(lambda: sum(len(member.messages) for member in members) >= 300, "300 messages")
        came = sorted(int(message.payload) for member in members for message in member.messages)
        assert came == list(range(300))
        # Fair: nobody has less than half of an equal part.
        assert all(len(member.messages) >= 50 for member in members), [len(member.messages) for member in members]
    finally:
        for member in members:
            member.disconnect()


def test_the_broker_honours_the_receive_maximum(broker, name):
    with Paho(place(broker), name, connect_properties={"ReceiveMaximum": 1}) as client:
        client.subscribe(name, 2)
        for number in range(20):
            client.publish(name, str(number), 2)
        assert client.payloads(20) == [str(number).encode() for number in range(20)]


def test_an_empty_client_identifier_gets_one_assigned(broker):
    with Paho(place(broker), "") as client:
        assert client.connack_properties.AssignedClientIdentifier
