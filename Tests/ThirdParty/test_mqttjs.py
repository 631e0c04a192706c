"""MQTT.js of Debian under node, over TCP and WebSocket, 3.1.1 and 5.0."""

import json
import pathlib

import pytest

from apus import run

SCRIPT = pathlib.Path(__file__).parent / "mqttjs" / "client.js"
URLS = pytest.mark.parametrize("scheme", ["mqtt", "ws"])
VERSIONS = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


def mqttjs(endpoint, scenario, topic, **options):
    """The lines that the scenario printed, without the first, which tells that it connected."""
    done = run(["node", SCRIPT, endpoint.url, json.dumps(options), scenario, topic])
    first, *rest = done.stdout.splitlines()
    assert first == "connect false"
    return rest


@URLS
@VERSIONS
def test_messages_of_each_qos_arrive(broker, name, scheme, version):
    lines = mqttjs(broker.endpoint(scheme), "echo", name, protocolVersion=version)
    assert sorted(lines) == [f"message {name} {qos} payload {qos}" for qos in range(3)]


@URLS
@VERSIONS
def test_a_thousand_messages_keep_their_order(broker, name, scheme, version):
    assert mqttjs(broker.endpoint(scheme), "order", name, protocolVersion=version) == ["order 1000"]


@URLS
@VERSIONS
def test_a_large_message_arrives_unchanged(broker, name, scheme, version):
    assert mqttjs(broker.endpoint(scheme), "large", name, protocolVersion=version) == ["large true"]


@URLS
@VERSIONS
def test_retained_messages_come_and_go(broker, name, scheme, version):
    assert mqttjs(broker.endpoint(scheme), "retain", name, protocolVersion=version) == ["retained true kept"]


@URLS
def test_properties_arrive(broker, name, scheme):
    lines = mqttjs(broker.endpoint(scheme), "properties", name, protocolVersion=5)
    assert lines == ['properties text/plain answers 00ff {"key":["1","2"]}']


@pytest.mark.parametrize("path", ["/mqtt", "/", "/some/where?else=1"])
def test_any_path_of_a_websocket_will_do(broker, name, path):
    endpoint = broker.endpoint("ws")
    done = run(["node", SCRIPT, f"ws://{endpoint.host}:{endpoint.port}{path}", "{}", "connect", name])
    assert done.stdout == "connect false\n"
