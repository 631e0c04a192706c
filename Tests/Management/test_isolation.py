"""Two instances with the same groups, topics, client ids and messages never see anything of each other."""

import pytest

from device import Device, Refused, signature
from service import FIRST, FOREIGN, SECOND, MANAGER, RIVAL, Sdk

BOTH = (FIRST, SECOND)


def pair(service, client_id, version, **options):
    return [Device(service, client_id, version=version, instance=instance, **options) for instance in BOTH]


def leave(devices):
    for device in devices:
        device.disconnect()


def test_the_same_client_id_in_both(service, client_id, version):
    here, there = pair(service, client_id, version)
    assert here.still_works("orders/x") and there.still_works("orders/x")
    leave([here, there])


@pytest.mark.parametrize("filter", ["orders/{}", "orders/{}/#", "orders/#", "orders/+"])
def test_messages(service, client_id, name, version, filter):
    here, there = pair(service, client_id, version)
    for device in (here, there):
        assert device.subscribe(filter.format(name)) == [1]
    here.publish(f"orders/{name}", b"here")
    there.publish(f"orders/{name}", b"there")
    here.publish(f"orders/{name}", b"here again")
    there.publish(f"orders/{name}", b"there again")
    assert here.payloads(2) == [b"here", b"here again"]
    assert there.payloads(2) == [b"there", b"there again"]
    leave([here, there])


def test_shared_subscriptions(service, client_id, name):
    here, there = pair(service, client_id, 5)
    for device in (here, there):
        assert device.subscribe(f"$share/g/orders/{name}") == [1]
    for number in range(10):
        here.publish(f"orders/{name}", b"%d" % number)
    there.publish(f"orders/{name}", b"there")
    assert here.payloads(10) == [b"%d" % number for number in range(10)]
    assert there.payloads(1) == [b"there"]
    leave([here, there])


def test_p2p(service, client_id, version):
    here, there = pair(service, client_id, version)
    here.publish(f"orders/p2p/{client_id}", b"here")
    there.publish(f"orders/p2p/{client_id}", b"there")
    assert here.payloads(1) == [b"here"]
    assert there.payloads(1) == [b"there"]
    leave([here, there])


def test_p2p_to_who_is_only_in_the_other(service, client_id, name):
    with Device(service, client_id, clean=False):
        pass
    with Device(service, client_id, instance=SECOND) as there, Device(service, f"{client_id}-s", clean=False) as sender:
        sender.publish(f"orders/p2p/{client_id}", b"stays here")
        there.publish(f"orders/p2p/{client_id}", b"own")
        assert there.payloads(1) == [b"own"]
    with Device(service, client_id, clean=False) as here:
        assert here.payloads(1) == [b"stays here"]


def test_retained_messages(service, client_id, name, version):
    here, there = pair(service, client_id, version)
    topic = f"chat/{name}"
    here.publish(topic, b"kept here", retain=True)
    there.subscribe(topic)
    there.publish(topic, b"live there")
    assert there.payloads(1) == [b"live there"]
    here.subscribe(topic)
    assert here.payloads(1) == [b"kept here"]
    # Its end in one is not its end in the other.
    there.publish(topic, b"", retain=True)
    with Device(service, f"{client_id}-2", version=version) as another:
        another.subscribe(topic)
        assert another.payloads(1) == [b"kept here"]
    here.publish(topic, b"", retain=True)
    leave([here, there])


def test_wills(service, client_id, name, version):
    topic = f"chat/{name}"
    witnesses = pair(service, f"{client_id}-w", version)
    for witness in witnesses:
        witness.subscribe(topic)
    leaving = Device(service, client_id, version=version, will={"topic": topic, "payload": b"will here", "qos": 1})
    leaving.drop()
    assert witnesses[0].payloads(1) == [b"will here"]
    witnesses[1].publish(topic, b"end")
    assert witnesses[1].payloads(1) == [b"end"]
    leave(witnesses)


def test_sessions(service, client_id, name, version):
    topic = f"chat/{name}"
    with Device(service, client_id, version=version, clean=False) as here:
        here.subscribe(topic)
    with Device(service, client_id, version=version, clean=False, instance=SECOND) as there:
        assert not there.session_present
        there.publish(topic, b"there only")
    with Device(service, f"{client_id}-s", version=version) as sender:
        sender.publish(topic, b"here")
    with Device(service, client_id, version=version, clean=False) as here:
        assert here.session_present
        assert here.payloads(1) == [b"here"]
    # A clean start in one does not end the session of the other.
    with Device(service, client_id, version=version, instance=SECOND):
        pass
    with Device(service, client_id, version=version, clean=False) as here:
        assert here.session_present


def test_the_api_acts_on_one(service, admin, client_id, name):
    here, there = pair(service, client_id, 5)
    for device in (here, there):
        device.subscribe(f"orders/{name}")
    admin("SendMessage", instance_id=SECOND, mqtt_topic=f"orders/{name}", payload="there")
    admin("SendMessage", instance_id=FIRST, mqtt_topic=f"orders/{name}", payload="here")
    assert here.payloads(1) == [b"here"]
    assert there.payloads(1) == [b"there"]
    admin("CloseConnection", instance_id=SECOND, client_id=client_id)
    there.wait_for_end()
    assert admin("QuerySessionByClientId", instance_id=SECOND, client_id=client_id).online_status is False
    assert admin("QuerySessionByClientId", instance_id=FIRST, client_id=client_id).online_status is True
    assert here.still_works(f"orders/{name}")
    here.disconnect()


def test_traces_of_one(service, client_id, name):
    def trace(instance, **options):
        path = f"/instances/{instance}/clients/{client_id}/trace".replace("@", "%40")
        status, page = service.rest("GET", path, **options)
        return [event["kind"] for event in page["items"]] if status == 200 else status

    with Device(service, client_id, instance=SECOND) as there:
        there.publish(f"chat/{name}", b"there")
        assert trace(FIRST) == []
        assert trace(SECOND) == ["published", "connected"]
        with Device(service, client_id):
            pass
        assert trace(FIRST) == ["disconnected", "connected"]
        assert trace(SECOND) == ["published", "connected"]
    assert trace(SECOND, key=RIVAL) == trace(FOREIGN, key=MANAGER) == 404
    assert trace(FOREIGN, key=RIVAL) == []


def test_lists_of_one(service, client_id, name):
    with Device(service, client_id, clean=False, instance=SECOND) as there:
        there.publish(f"chat/{name}", b"kept", retain=True)
        for part in ("clients", "sessions"):
            _, here = service.rest("GET", f"/instances/{FIRST}/{part}", limit=1000)
            assert client_id not in {entry["clientId"] for entry in here["items"]}
            _, page = service.rest("GET", f"/instances/{SECOND}/{part}", limit=1000)
            assert client_id in {entry["clientId"] for entry in page["items"]}
        _, here = service.rest("GET", f"/instances/{FIRST}/retained", filter="chat/#")
        assert f"chat/{name}" not in {entry["topic"] for entry in here["items"]}
        there.publish(f"chat/{name}", b"", retain=True)


def test_the_instance_of_another_account(service, client_id, name):
    """Neither its SDK nor its devices reach it, and refusals do not tell whether it is there."""
    codes = set()
    for instance in (FOREIGN, "post-cn-nowhere"):
        try:
            Sdk(service, key=MANAGER)("SendMessage", instance_id=instance, mqtt_topic="orders/x", payload="x")
        except Exception as error:  # The SDK's own class; its code is what counts.
            codes.add(error.code)
        try:
            Device(service, client_id, signature(client_id, instance, MANAGER)).disconnect()
        except Refused as refused:
            codes.add(refused.code)
    assert len(codes) == 2, codes
    assert service.rest("GET", f"/instances/{FIRST}/clients", key=RIVAL)[0] in (403, 404)
