"""`kill -9` and a new start: what was acknowledged is still there."""

import pathlib
import tempfile

import pytest

from device import LOGIN_REFUSED, Device, credential_login, refusal, signature, token_login
from service import FIRST, Sdk, Service


@pytest.fixture
def data():
    with tempfile.TemporaryDirectory(prefix="apus-restart-") as folder:
        yield folder


def killed(service):
    service.kill()
    service.process.stdout.close()


def test_all_that_was_acknowledged_survives(data, version):
    service = Service(data=data)
    try:
        sdk, me = Sdk(service), "GID_new@@@1"
        sdk("CreateGroupId", instance_id=FIRST, group_id="GID_new")
        assert service.rest("POST", f"/instances/{FIRST}/topics", {"name": "later"})[0] == 201
        credential = sdk("RegisterDeviceCredential", instance_id=FIRST, client_id=me).device_credential
        good, revoked = sdk.token(FIRST, "R,W", "orders/#"), sdk.token(FIRST, "R,W", "orders/#")
        sdk("RevokeToken", instance_id=FIRST, token=revoked)
        sdk("AddCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username="u", secret="s",
            sign_mode="ORIGIN")
        sdk("AddCustomAuthPermission", instance_id=FIRST, identity_type="USER", identity="u", topic="orders/#",
            permit_action="PUB_SUB", effect="ALLOW")
        sdk("AddCustomAuthConnectBlack", instance_id=FIRST, client_id="GID_new@@@banned")
        _, made = service.rest("POST", "/keys", {"account": "shop", "rights": "data"})
        with Device(service, "GID_apus@@@away", version=version, clean=False) as receiver:
            receiver.subscribe("chat/#", 1)
        with Device(service, me, version=version, clean=False):
            pass
        with Device(service, "GID_apus@@@sender", version=version, clean=False) as sender:
            sender.publish("chat/x", b"offline")
            sender.publish("chat/kept", b"retained", retain=True)
            sender.publish("orders/p2p/GID_apus@@@away", b"p2p to a session")
            sender.publish(f"orders/p2p/{me}", b"p2p without a subscription")
        killed(service)

        # Without the file: what it said is in the catalog.
        service = Service(data=data, resources=None)
        sdk = Sdk(service)
        assert {"GID_apus", "GID_new"} <= {entry.group_id for entry in sdk("ListGroupId", instance_id=FIRST).data}
        kept = sdk("GetDeviceCredential", instance_id=FIRST, client_id=me).device_credential
        assert kept.to_map() == credential.to_map()
        assert sdk("QueryToken", instance_id=FIRST, token=good).token_status is True
        assert sdk("QueryToken", instance_id=FIRST, token=revoked).token_status is False
        with Device(service, "GID_apus@@@away", version=version, clean=False) as receiver:
            assert receiver.session_present
            payloads = receiver.payloads(3)
            assert sorted(payloads) == [b"offline", b"p2p to a session", b"retained"]
        with Device(service, me, credential_login(credential, me), version=version, clean=False) as receiver:
            assert receiver.payloads(1) == [b"p2p without a subscription"]
            assert receiver.still_works("later/x")
        with Device(service, me, token_login({"RW": good}), version=version) as device:
            assert device.still_works("orders/x")
        assert refusal(service, me, token_login({"RW": revoked}), version=version).code in LOGIN_REFUSED
        with Device(service, me, ("u", "s"), version=version) as device:
            assert device.still_works("orders/x")
        refusal(service, "GID_new@@@banned", signature("GID_new@@@banned"), version=version)
        with Device(service, me, signature(me, FIRST, (made["id"], made["secret"])), version=version):
            pass
        _, audit = service.rest("GET", "/audit", limit=1000)
        assert "CreateGroupId" in {entry["action"] for entry in audit["items"]}
    finally:
        service.stop()


def test_the_same_file_again_changes_nothing(data):
    for _ in range(2):
        service = Service(data=data)
        assert {"GID_apus"} == {entry.group_id for entry in Sdk(service)("ListGroupId", instance_id=FIRST).data}
        assert service.stop() == 0


def test_files_with_secrets_are_the_owners(data):
    service = Service(data=data, resources=None)
    try:
        file = pathlib.Path(data) / "administrator.json"
        assert file.stat().st_mode & 0o777 == 0o600
        for path in pathlib.Path(data).rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path
    finally:
        service.stop()
