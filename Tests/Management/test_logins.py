"""Who may connect: the modes Signature, Token, DeviceCredential and custom, and what happens to who was let in."""

import json

import pytest

from apus import eventually
from device import (
    BAD_CLIENT_ID, BANNED, LOGIN_REFUSED, NOT_AUTHORIZED, SUCCESS, V3, Device, Refused, credential_login, refusal,
    signature, token_login,
)
from service import ADMIN, DATA, FIRST, FOREIGN, MANAGER, RIVAL, SECOND, STANDARD, Service, hmac_sha1, now

REFUSED = (*LOGIN_REFUSED, BAD_CLIENT_ID, BANNED)


# MARK: Signature


def test_the_worked_examples_of_the_documents():
    assert hmac_sha1("XXXXX", "GID_Test@@@0001") == "vI009IZJZVGRwBwZvnbwjfuXxVM="
    assert hmac_sha1("apusSecretKey0001", "GID_apus@@@device-0001") == "TTUDnFAGAWvlbA0Q6lx26lLGch8="


@pytest.mark.parametrize("key", [ADMIN, MANAGER, DATA], ids=["administrator", "manager", "data"])
def test_a_signature_lets_in(service, client_id, name, version, key):
    with Device(service, client_id, signature(client_id, FIRST, key), version=version) as device:
        assert device.subscribe(f"orders/{name}/#", 1) == [1]
        assert device.publish(f"orders/{name}/a/b/c/d", b"deep") == SUCCESS
        assert device.payloads(1) == [b"deep"]


@pytest.mark.parametrize("make", [
    lambda me: (signature(me)[0], "wrong"),
    lambda me: (signature(me)[0], ""),
    lambda me: (signature(me)[0], ADMIN[1]),
    lambda me: (signature(me)[0], hmac_sha1(ADMIN[1], "GID_apus@@@other")),
    lambda me: (signature(me)[0], signature(me)[1].rstrip("=")),
    lambda me: (f"Signature|LTAInobody|{FIRST}", signature(me)[1]),
    lambda me: (f"Signature|{ADMIN[0]}|post-cn-nowhere", signature(me)[1]),
    lambda me: (f"Signature|{ADMIN[0]}", signature(me)[1]),
    lambda me: (f"signature|{ADMIN[0]}|{FIRST}", signature(me)[1]),
    lambda me: (f"Signature|{ADMIN[0]}|{FIRST}|more", signature(me)[1]),
    lambda me: signature(me, FIRST, RIVAL),
    lambda me: signature(me, FOREIGN, DATA),
    lambda me: ("'; DROP TABLE accounts; --|x|y", "x"),
], ids=["wrong", "empty", "the secret itself", "another client's", "no padding", "unknown key", "unknown instance",
        "no instance", "other spelling", "too many parts", "key of another account", "instance of another account",
        "hostile"])
def test_a_wrong_login_does_not(service, client_id, version, make):
    assert refusal(service, client_id, make(client_id), version=version).code in LOGIN_REFUSED


@pytest.mark.parametrize("client_id", [
    "device", "GID_apus", "GID_apus@@device", "GID_apus@@@", "@@@device", "GID_none@@@device", "gid_apus@@@device",
    "GID_apus@@@" + "x" * 54, "GID_apus@@@tab\there",
], ids=repr)
def test_a_client_id_is_a_group_that_exists_and_a_device(service, client_id, version):
    assert refusal(service, client_id, signature(client_id), version=version).code in REFUSED


def test_a_client_id_has_64_characters(service, version):
    client_id = "GID_apus@@@" + "x" * 53
    with Device(service, client_id, version=version) as device:
        assert device.still_works("orders/x")


def test_a_refusal_tells_why_and_keeps_secrets(service, client_id):
    """MQTT 5 has a sentence for it, which names the wrong part; neither it nor the log names a secret."""
    refused = refusal(service, client_id, (signature(client_id)[0], "wrong-password-1"))
    assert refused.words
    group = refusal(service, "GID_none@@@x", signature("GID_none@@@x"))
    assert "GID_none" in group.words or "group" in group.words.lower()
    assert group.words != refused.words
    eventually(lambda: "GID_none" in service.logged(), "the refusal in the log")
    logged = service.logged()
    for secret in [ADMIN[1], DATA[1], "wrong-password-1", signature(client_id)[1]]:
        assert secret not in refused.words + group.words
        assert secret not in logged


def test_a_new_group_counts_at_once_and_a_deleted_one_no_more(service, admin, name, version):
    group = f"GID_{name}"
    client_id = f"{group}@@@1"
    refusal(service, client_id, signature(client_id), version=version)
    admin("CreateGroupId", instance_id=FIRST, group_id=group)
    with Device(service, client_id, version=version):
        pass
    admin("DeleteGroupId", instance_id=FIRST, group_id=group)
    refusal(service, client_id, signature(client_id), version=version)


# MARK: Token


@pytest.mark.parametrize("tokens, may", [
    ({"R": "R"}, "R"), ({"W": "W"}, "W"), ({"RW": "R,W"}, "RW"), ({"R": "R", "W": "W"}, "RW"),
    ({"W": "W", "R": "R"}, "RW"),
], ids=["R", "W", "RW", "R and W", "W and R"])
def test_what_tokens_allow(service, admin, client_id, name, version, tokens, may):
    login = token_login({kind: admin.token(FIRST, actions, f"orders/{name}/#") for kind, actions in tokens.items()})
    with Device(service, f"{client_id}-witness", version=version) as witness:
        witness.subscribe(f"orders/{name}/#", 1)
        with Device(service, client_id, login, version=version) as device:
            code = device.publish(f"orders/{name}/x", b"from the token")
            if "W" in may:
                assert code == SUCCESS
                assert witness.payloads(1) == [b"from the token"]
            else:
                device.wait_for_end()
        with Device(service, client_id, login, version=version) as device:
            codes = device.subscribe(f"orders/{name}/+", 1)
            if "R" in may:
                assert codes == [1]
                witness.publish(f"orders/{name}/y", b"to the token")
                assert device.payloads(1) == [b"to the token"]
            else:
                assert codes in (None, [0x80], [NOT_AUTHORIZED])
                device.wait_for_end()


@pytest.mark.parametrize("resource, topic, allowed", [
    ("orders/a", "orders/a", True), ("orders/a", "orders/a/b", False), ("orders/a", "orders/b", False),
    ("orders/+", "orders/a", True), ("orders/+", "orders/a/b", False), ("orders/#", "orders/a/b", True),
    ("orders/#", "orders", True), ("orders/#", "chat/a", False), ("orders", "orders", True),
    ("orders", "orders/a", False),
])
def test_the_resources_of_a_token(service, admin, client_id, resource, topic, allowed):
    login = token_login({"W": admin.token(FIRST, "W", resource)})
    with Device(service, client_id, login) as device:
        code = device.publish(topic, b"x")
        assert (code in (SUCCESS, 0x10)) == allowed
        if not allowed:
            device.wait_for_end()


def test_a_subscription_must_lie_within_the_token(service, admin, client_id):
    login = token_login({"R": admin.token(FIRST, "R", "orders/a/+")})
    with Device(service, client_id, login) as device:
        assert device.subscribe_all(["orders/a/b", "orders/a/+"]) == [1, 1]
    with Device(service, client_id, login) as device:
        assert device.subscribe("orders/a/#") in (None, [NOT_AUTHORIZED], [0x80])
        device.wait_for_end()


@pytest.mark.parametrize("make", [
    lambda admin: {"R": "x"},
    lambda admin: {"R": admin.token(SECOND, "R", "orders/#")},
    lambda admin: {"RW": admin.token(FIRST, "R", "orders/#")},
    lambda admin: {"R": admin.token(FIRST, "R", "orders/#"), "W": "forged"},
    lambda admin: {"X": admin.token(FIRST, "R", "orders/#")},
], ids=["forged", "of another instance", "of another type", "one of two is bad", "unknown type"])
def test_bad_tokens_do_not_let_in(service, admin, client_id, version, make):
    assert refusal(service, client_id, token_login(make(admin)), version=version).code in LOGIN_REFUSED


def test_a_revoked_token_closes_with_a_notice_and_does_not_let_in_again(service, admin, client_id, version):
    text = admin.token(FIRST, "R,W", "orders/#")
    with Device(service, client_id, token_login({"RW": text}), version=version) as device:
        assert device.still_works("orders/x")
        admin("RevokeToken", instance_id=FIRST, token=text)
        assert json.loads(device.notice("$SYS/tokenInvalidNotice")) == {"code": 3, "type": "RW"}
        device.wait_for_end()
    assert refusal(service, client_id, token_login({"RW": text}), version=version).code in LOGIN_REFUSED


def test_a_token_ends(service, admin, client_id):
    """The shortest token lives a minute, and so does this test: notice of the end, notice of invalidity, end."""
    ends = now() + 61_000
    text = admin("ApplyToken", instance_id=FIRST, actions="R", resources="orders/#", expire_time=ends).token
    login = token_login({"R": text})
    with Device(service, f"{client_id}-3", login, version=V3) as old, Device(service, client_id, login) as device:
        for each in (old, device):
            assert each.subscribe("orders/#", 1) == [1]
            notice = json.loads(each.notice("$SYS/tokenExpireNotice"))
            assert notice == {"expireTime": ends, "type": "R"}
        for each in (old, device):
            assert json.loads(each.notice("$SYS/tokenInvalidNotice", patience=120)) == {"code": 2, "type": "R"}
            each.wait_for_end()
        assert now() >= ends - 1000
    assert admin("QueryToken", instance_id=FIRST, token=text).token_status is False
    refusal(service, client_id, login)


@pytest.mark.parametrize("key", ["token", "Token"])
def test_a_token_is_replaced_while_connected(service, admin, client_id, name, version, key):
    first, second = admin.token(FIRST, "R,W", f"orders/{name}/a"), admin.token(FIRST, "R,W", f"orders/{name}/b")
    with Device(service, client_id, token_login({"RW": first}), version=version) as device:
        assert device.publish(f"orders/{name}/a", b"x") in (SUCCESS, 0x10)
        assert device.publish("$SYS/uploadToken", json.dumps({key: second, "type": "RW"})) == SUCCESS
        assert device.publish(f"orders/{name}/b", b"x") in (SUCCESS, 0x10)
        # The end of the first no longer matters to this connection.
        admin("RevokeToken", instance_id=FIRST, token=first)
        assert device.still_works(f"orders/{name}/b")
        assert device.publish(f"orders/{name}/a", b"x") not in (SUCCESS, 0x10)
        device.wait_for_end()


def test_a_token_of_another_type_is_added(service, admin, client_id, name):
    read, write = admin.token(FIRST, "R", f"orders/{name}"), admin.token(FIRST, "W", f"orders/{name}")
    with Device(service, client_id, token_login({"R": read})) as device:
        device.subscribe(f"orders/{name}")
        assert device.publish("$SYS/uploadToken", json.dumps({"token": write, "type": "W"})) == SUCCESS
        device.publish(f"orders/{name}", b"both")
        assert device.payloads(1) == [b"both"]


@pytest.mark.parametrize("payload", [
    b"", b"{}", b"no JSON", b'{"token":"forged","type":"RW"}', b'{"token":1,"type":"RW"}', b"[" * 10_000,
], ids=lambda payload: repr(payload[:32]))
def test_bad_uploads(service, admin, client_id, name, version, payload):
    text = admin.token(FIRST, "R,W", f"orders/{name}")
    with Device(service, client_id, token_login({"RW": text}), version=version) as device:
        # Refused, or closed.
        if device.publish("$SYS/uploadToken", payload) == SUCCESS:
            device.wait_for_end()


# MARK: DeviceCredential


def test_a_device_credential(service, admin, client_id, name, version):
    made = admin("RegisterDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    other = f"{client_id}-other"
    with Device(service, client_id, credential_login(made, client_id), version=version) as device:
        assert device.still_works(f"orders/{name}")
        # It is of this device alone.
        assert refusal(service, other, credential_login(made, other), version=version).code in LOGIN_REFUSED
    again = admin("RefreshDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    assert refusal(service, client_id, credential_login(made, client_id), version=version).code in LOGIN_REFUSED
    with Device(service, client_id, credential_login(again, client_id), version=version) as device:
        admin("UnRegisterDeviceCredential", instance_id=FIRST, client_id=client_id)
        # An open connection stays, the next CONNECT fails.
        assert device.still_works(f"orders/{name}")
    assert refusal(service, client_id, credential_login(again, client_id), version=version).code in LOGIN_REFUSED


def test_a_device_credential_is_of_its_instance(service, admin, client_id):
    made = admin("RegisterDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    user, password = credential_login(made, client_id)
    assert refusal(service, client_id, (user.replace(FIRST, SECOND), password)).code in LOGIN_REFUSED


# MARK: custom


def identify(admin, name, secret, mode="ORIGIN"):
    admin("AddCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username=name, secret=secret,
          sign_mode=mode)


def permit(admin, name, topic, action="PUB_SUB", effect="ALLOW", identity=None):
    admin("AddCustomAuthPermission", instance_id=FIRST, identity_type="CLIENT" if identity else "USER",
          identity=identity or name, topic=topic, permit_action=action, effect=effect)


@pytest.mark.parametrize("mode", ["ORIGIN", "SIGNED"])
def test_a_custom_user(service, admin, client_id, name, version, mode):
    identify(admin, name, "own secret", mode)
    permit(admin, name, f"orders/{name}/#")
    right, wrong = "own secret", hmac_sha1("own secret", client_id)
    if mode == "SIGNED":
        right, wrong = wrong, right
    with Device(service, client_id, (name, right), version=version) as device:
        assert device.subscribe(f"orders/{name}/+", 1) == [1]
        device.publish(f"orders/{name}/x", b"x")
        assert device.payloads(1) == [b"x"]
        assert device.publish("orders/elsewhere", b"x") not in (SUCCESS, 0x10)
        device.wait_for_end()
    for password in [wrong, "", right + " "]:
        assert refusal(service, client_id, (name, password), version=version).code in LOGIN_REFUSED
    admin("UpdateCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username=name, secret="a new one",
          sign_mode="ORIGIN")
    assert refusal(service, client_id, (name, right), version=version).code in LOGIN_REFUSED
    with Device(service, client_id, (name, "a new one"), version=version):
        pass


def test_a_custom_client(service, admin, client_id, name, version):
    """An entry for user name and client id holds for this client only, and before the user's own."""
    admin("AddCustomAuthIdentity", instance_id=FIRST, identity_type="CLIENT", username=name, client_id=client_id,
          secret="mine", sign_mode="ORIGIN")
    permit(admin, name, f"orders/{name}", identity=client_id)
    with Device(service, client_id, (name, "mine"), version=version) as device:
        assert device.still_works(f"orders/{name}")
    other = f"{client_id}-2"
    assert refusal(service, other, (name, "mine"), version=version).code in LOGIN_REFUSED
    identify(admin, name, "all")
    with Device(service, other, (name, "all"), version=version):
        pass
    assert refusal(service, client_id, (name, "all"), version=version).code in LOGIN_REFUSED


@pytest.mark.parametrize("action, may", [("PUB", "W"), ("SUB", "R"), ("PUB_SUB", "RW")])
def test_custom_permissions_by_action(service, admin, client_id, name, action, may):
    identify(admin, name, "s")
    permit(admin, name, f"orders/{name}/#", action)
    with Device(service, client_id, (name, "s")) as device:
        assert (device.publish(f"orders/{name}/x", b"x") in (SUCCESS, 0x10)) == ("W" in may)
    with Device(service, client_id, (name, "s")) as device:
        assert (device.subscribe(f"orders/{name}/x") == [1]) == ("R" in may)


def test_a_denial_wins_and_changes_count_at_once(service, admin, client_id, name):
    identify(admin, name, "s")
    permit(admin, name, f"orders/{name}/#")
    permit(admin, name, f"orders/{name}/secret", effect="DENY")
    with Device(service, client_id, (name, "s")) as device:
        assert device.publish(f"orders/{name}/open", b"x") in (SUCCESS, 0x10)
        assert device.publish(f"orders/{name}/secret", b"x") == NOT_AUTHORIZED or not device.is_connected
    with Device(service, client_id, (name, "s")) as device:
        assert device.still_works(f"orders/{name}/open")
        admin("DeleteCustomAuthPermission", instance_id=FIRST, identity_type="USER", identity=name,
              topic=f"orders/{name}/#")
        assert device.publish(f"orders/{name}/open", b"x") not in (SUCCESS, 0x10)


def test_a_ban(service, admin, client_id, version):
    with Device(service, client_id, version=version) as device:
        admin("AddCustomAuthConnectBlack", instance_id=FIRST, client_id=client_id)
        device.wait_for_end()
    assert refusal(service, client_id, signature(client_id), version=version).code in (BANNED, *LOGIN_REFUSED)
    admin("DeleteCustomAuthConnectBlack", instance_id=FIRST, client_id=client_id)
    with Device(service, client_id, version=version):
        pass


def test_an_unknown_user(service, client_id, version):
    assert refusal(service, client_id, ("nobody", "x"), version=version).code in LOGIN_REFUSED


# MARK: the standard profile


def test_the_standard_profile_takes_any_client_and_any_topic(service, name, version):
    with Device(service, name, signature(name, STANDARD), version=version) as device:
        assert device.subscribe("any/thing/at/all", 2) == [2]
        device.publish("any/thing/at/all", b"x" * 100_000, qos=2)
        assert device.payloads(1) == [b"x" * 100_000]


# MARK: keys


def test_a_key_that_is_disabled_or_deleted(service, name, client_id):
    status, made = service.rest("POST", "/keys", {"account": "shop", "rights": "data"})
    assert status == 201
    key = made["id"], made["secret"]
    with Device(service, client_id, signature(client_id, FIRST, key)) as device:
        assert service.rest("PATCH", f"/keys/{key[0]}", {"enabled": False})[0] == 200
        assert device.publish("orders/x", b"x") not in (SUCCESS, 0x10)
    assert refusal(service, client_id, signature(client_id, FIRST, key)).code in LOGIN_REFUSED
    assert service.rest("PATCH", f"/keys/{key[0]}", {"enabled": True})[0] == 200
    with Device(service, client_id, signature(client_id, FIRST, key)):
        pass
    assert service.rest("DELETE", f"/keys/{key[0]}")[0] == 204
    assert refusal(service, client_id, signature(client_id, FIRST, key)).code in LOGIN_REFUSED


@pytest.mark.parametrize("free, is_let_in", [(0, False), (20, True)], ids=["none is free", "a network's devices"])
def test_how_many_failures_an_address_has_free_is_configured(tmp_path, free, is_let_in):
    (tmp_path / "apus.yaml").write_text(f"authentication: {{failuresPerAddress: {free}}}\n")
    with Service("--config", tmp_path / "apus.yaml") as service:
        for number in range(12):
            device = f"GID_apus@@@broken-{number}"
            with pytest.raises(Refused):
                Device(service, device, (signature(device)[0], "wrong"))
        neighbour = "GID_apus@@@neighbour"
        if is_let_in:
            Device(service, neighbour, signature(neighbour)).disconnect()
        else:
            with pytest.raises(Refused, match="too many failed logins from this address"):
                Device(service, neighbour, signature(neighbour))
