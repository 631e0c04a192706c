"""Every action of both API versions through the vendor's SDKs, with both ways of signing.

Expectations are those of the vendor's documents; each test makes what it needs.
"""

import pathlib
import re

import pytest
from alibabacloud_onsmqtt20191211 import models as models_2019
from alibabacloud_onsmqtt20200420 import models as models_2020
from alibabacloud_tea_openapi.exceptions import ClientException
from Tea.exceptions import TeaException

from authorities import Authority
from device import Device, refusal, signature, token_login
from service import DATA, FIRST, FOREIGN, MANAGER, MESSAGE_ID, SECOND, STANDARD, Sdk, now

ACTIONS = [
    (version, name.removesuffix("Request"))
    for version, models in (("2020-04-20", models_2020), ("2019-12-11", models_2019))
    for name in dir(models) if name.endswith("Request") and name != "Request"
]


def code_of(call, *arguments, **parameters):
    """The code with which a call is refused."""
    with pytest.raises(TeaException) as caught:
        call(*arguments, **parameters)
    error = caught.value
    assert 400 <= error.status_code < 600
    assert (error.status_code < 500) == isinstance(error, ClientException)
    assert error.data["RequestId"] and error.data["HostId"] and error.data["Message"], error.data
    return error.code


def test_the_sdks_have_as_many_actions_as_the_documents_say():
    versions = [version for version, _ in ACTIONS]
    assert (versions.count("2020-04-20"), versions.count("2019-12-11")) == (50, 10)


@pytest.mark.parametrize("version, action", ACTIONS, ids="-".join)
def test_every_action_has_a_test(version, action):
    text = pathlib.Path(__file__).read_text()
    call = "old_version" if version == "2019-12-11" else "sdk"
    assert re.search(rf'{call}(, |\()"{action}"', text), f"{action} of {version} is not driven"


# MARK: groups, instances, tags


def test_groups(sdk, name):
    group, before = f"GID_{name}", now()
    sdk("CreateGroupId", instance_id=FIRST, group_id=group)
    found = {entry.group_id: entry for entry in sdk("ListGroupId", instance_id=FIRST).data}
    assert {"GID_apus", group} <= set(found)
    entry = found[group]
    assert entry.instance_id == FIRST
    assert before - 1000 <= entry.create_time <= entry.update_time <= now() + 1000
    assert isinstance(entry.independent_naming, bool)
    assert group not in {entry.group_id for entry in sdk("ListGroupId", instance_id=SECOND).data}
    assert code_of(sdk, "CreateGroupId", instance_id=FIRST, group_id=group) == "GroupIdAlreadyExsited"
    sdk("DeleteGroupId", instance_id=FIRST, group_id=group)
    assert group not in {entry.group_id for entry in sdk("ListGroupId", instance_id=FIRST).data}
    code_of(sdk, "DeleteGroupId", instance_id=FIRST, group_id=group)


@pytest.mark.parametrize("group", [
    "GID_12", "GID" + "x" * 10, "gid_apus1", "GID_a b", "GID_a/b", "GID_" + "x" * 61, "GID_ä234", "GID_'; DROP TABLE",
    "GID_\x00null", "", "../../etc/passwd", "GID_" + "x" * 4000,
])
def test_names_of_groups_are_checked(sdk, group):
    assert code_of(sdk, "CreateGroupId", instance_id=FIRST, group_id=group) in (
        "ParameterFieldCheckFailed", "ParameterCheckFailed", "InvalidParameter.GroupId", "MissingParameter")
    assert group not in {entry.group_id for entry in sdk("ListGroupId", instance_id=FIRST).data}


@pytest.mark.parametrize("group", ["GID_123", "GID-123", "GID_" + "x" * 60, "GID_A-b_9"])
def test_names_of_groups_at_their_limits(sdk, group):
    sdk("CreateGroupId", instance_id=FIRST, group_id=group)
    sdk("DeleteGroupId", instance_id=FIRST, group_id=group)


def test_an_instance_that_is_not_there(sdk):
    assert code_of(sdk, "ListGroupId", instance_id="post-cn-nowhere") in (
        "InstanceNotFound", "InstancePermissionCheckFailed")


def test_instances(sdk):
    answer = sdk("ListInstances")
    assert answer.code == "200" and str(answer.success).lower() == "true"
    found = {entry.instance_id: entry for entry in answer.instances}
    assert {FIRST, SECOND, STANDARD} <= set(found)
    entry = found[FIRST]
    assert entry.instance_name == FIRST
    assert isinstance(entry.instance_status, int) and isinstance(entry.instance_type, int)
    assert 0 < entry.create_time <= now()


def test_a_manager_sees_the_instances_of_its_account(service, sdk):
    mine = {entry.instance_id for entry in Sdk(service, key=MANAGER)("ListInstances").instances}
    assert FIRST in mine and FOREIGN not in mine
    assert code_of(Sdk(service, key=MANAGER), "ListGroupId", instance_id=FOREIGN) == "InstancePermissionCheckFailed"


def test_a_data_key_may_send_and_not_manage(service, name):
    data = Sdk(service, key=DATA)
    assert MESSAGE_ID.fullmatch(data("SendMessage", instance_id=FIRST, mqtt_topic=f"orders/{name}", payload="x").msg_id)
    assert code_of(data, "CreateGroupId", instance_id=FIRST, group_id=f"GID_{name}") in (
        "PermissionCheckFailed", "InstancePermissionCheckFailed")


def test_tags(sdk):
    tag = models_2020.TagResourcesRequestTag("stage", "test")
    other = models_2020.TagResourcesRequestTag("team", "a b&c")

    def tags_of(instance, **wanted):
        answer = sdk("ListTagResources", resource_type="INSTANCE", resource_id=[instance], **wanted)
        assert answer.code == "200"
        return {(entry.tag_key, entry.tag_value) for entry in answer.tag_resources or []
                if entry.resource_id == instance and entry.resource_type == "INSTANCE"}

    answer = sdk("TagResources", resource_type="INSTANCE", resource_id=[FIRST, SECOND], tag=[tag, other])
    assert answer.code == "200" and answer.data is True
    assert tags_of(FIRST) == tags_of(SECOND) == {("stage", "test"), ("team", "a b&c")}
    wanted = [models_2020.ListTagResourcesRequestTag("stage", "test")]
    assert tags_of(FIRST, tag=wanted) >= {("stage", "test")}
    shown = {entry.instance_id: entry for entry in sdk("ListInstances").instances}[FIRST]
    assert ("stage", "test") in {(entry.tag_key, entry.tag_value) for entry in shown.mqtt_tags}
    sdk("UntagResources", resource_type="INSTANCE", resource_id=[FIRST], tag_key=["stage"])
    assert tags_of(FIRST) == {("team", "a b&c")}
    sdk("UntagResources", resource_type="INSTANCE", resource_id=[FIRST, SECOND], all=True)
    assert tags_of(FIRST) == tags_of(SECOND) == set()


# MARK: tokens


@pytest.mark.parametrize("actions", ["R", "W", "R,W"])
def test_tokens(sdk, actions):
    text = sdk("ApplyToken", instance_id=FIRST, actions=actions, resources="chat/+,orders/#",
               expire_time=now() + 61_000).token
    assert text and "|" not in text and "," not in text
    assert sdk("QueryToken", instance_id=FIRST, token=text).token_status is True
    sdk("RevokeToken", instance_id=FIRST, token=text)
    assert sdk("QueryToken", instance_id=FIRST, token=text).token_status is False


def test_two_tokens_are_never_the_same(sdk):
    assert sdk.token(FIRST, "R", "orders/#") != sdk.token(FIRST, "R", "orders/#")


def test_a_token_is_of_its_instance(sdk):
    text = sdk.token(FIRST, "R", "orders/#")
    assert sdk("QueryToken", instance_id=SECOND, token=text).token_status is False


def test_a_forged_token_is_not_valid(sdk):
    text = sdk.token(FIRST, "R", "orders/#")
    forged = text[:-6] + ("A" if text[-6] != "A" else "B") + text[-5:]
    assert sdk("QueryToken", instance_id=FIRST, token=forged).token_status is False
    assert sdk("QueryToken", instance_id=FIRST, token="x").token_status is False


def test_more_than_thirty_days_are_accepted(sdk):
    assert sdk.token(FIRST, "R", "orders/#", lifetime=90 * 86_400_000)


@pytest.mark.parametrize("changes", [
    {"actions": "X"}, {"actions": ""}, {"actions": "R,W,X"}, {"expire_time": 0}, {"expire_time": -1},
    {"resources": ""}, {"resources": ",".join(f"orders/{number:03}" for number in range(101))},
], ids=lambda changes: "-".join(f"{key} {str(value)[:12]}" for key, value in changes.items()))
def test_bad_token_requests(sdk, changes):
    wanted = {"actions": "R", "resources": "orders/#", "expire_time": now() + 3_600_000, **changes}
    assert code_of(sdk, "ApplyToken", instance_id=FIRST, **wanted) in (
        "ParameterCheckFailed", "MissingParameter", "InvalidParameter.Actions", "InvalidParameter.ExpireTime",
        "InvalidParameter.Resources")


def test_a_token_shorter_than_a_minute_is_refused(sdk):
    code_of(sdk.token, FIRST, "R", "orders/#", lifetime=30_000)


def test_a_hundred_resources_are_allowed(sdk):
    assert sdk.token(FIRST, "R", *[f"orders/{number:03}" for number in range(100)])


def test_a_token_for_a_parent_topic_that_does_not_exist(sdk):
    assert code_of(sdk.token, FIRST, "R", "nowhere/#") == "PermissionCheckFailed"


# MARK: per-device credentials


def test_device_credentials(sdk, client_id):
    made = sdk("RegisterDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    assert (made.client_id, made.instance_id) == (client_id, FIRST)
    assert made.device_access_key_id.startswith("DC.") and made.device_access_key_secret.startswith("DC.")
    assert 0 < made.create_time <= made.update_time <= now() + 1000
    got = sdk("GetDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    assert got.to_map() == made.to_map()
    again = sdk("RefreshDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    assert again.device_access_key_id != made.device_access_key_id
    assert again.device_access_key_secret != made.device_access_key_secret
    # Registering again replaces, too.
    third = sdk("RegisterDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    got = sdk("GetDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    assert got.device_access_key_secret == third.device_access_key_secret != again.device_access_key_secret
    sdk("UnRegisterDeviceCredential", instance_id=FIRST, client_id=client_id)
    code_of(sdk, "GetDeviceCredential", instance_id=FIRST, client_id=client_id)
    code_of(sdk, "RefreshDeviceCredential", instance_id=FIRST, client_id=client_id)
    code_of(sdk, "UnRegisterDeviceCredential", instance_id=FIRST, client_id=client_id)


@pytest.mark.parametrize("client_id", ["device", "GID_apus@@device", "GID_none@@@device", "GID_apus@@@" + "x" * 54, ""])
def test_credentials_need_a_group_and_a_device(sdk, client_id):
    code_of(sdk, "RegisterDeviceCredential", instance_id=FIRST, client_id=client_id)


def test_pages_of_client_ids_with_credentials(sdk, name):
    group = f"GID_{name}"
    sdk("CreateGroupId", instance_id=FIRST, group_id=group)
    wanted = sorted(f"{group}@@@{number:02}" for number in range(5))
    for client_id in wanted:
        sdk("RegisterDeviceCredential", instance_id=FIRST, client_id=client_id)
    found, token = [], None
    for _ in range(3):
        page = sdk("ListDeviceCredentialClientId", instance_id=FIRST, group_id=group, page_size="2",
                   next_token=token).device_credential_client_id_list
        assert str(page.total) == "5"
        found += page.client_id_list
        token = page.next_token
    assert sorted(found) == wanted and len(found) == 5
    second = sdk("ListDeviceCredentialClientId", instance_id=FIRST, group_id=group, page_size="2", page_no="2")
    assert len(second.device_credential_client_id_list.client_id_list) == 2
    beyond = sdk("ListDeviceCredentialClientId", instance_id=FIRST, group_id=group, page_size="2", page_no="9")
    assert not beyond.device_credential_client_id_list.client_id_list
    for client_id in wanted:
        sdk("UnRegisterDeviceCredential", instance_id=FIRST, client_id=client_id)
    sdk("DeleteGroupId", instance_id=FIRST, group_id=group)


# MARK: custom authentication


def worked(answer):
    assert answer.code == 200 and answer.success is True and answer.message
    return answer


def test_custom_identities(sdk, name, client_id):
    def found(**wanted):
        results, token = [], None
        while True:
            page = worked(sdk("QueryCustomAuthIdentity", instance_id=FIRST, size=1, next_token=token, **wanted)).data
            results += page.results or []
            token = page.next_token
            if not token:
                return [(entry.identity_type, entry.username, entry.client_id or None, entry.secret, entry.sign_mode)
                        for entry in results]

    worked(sdk("AddCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username=name, secret="s&1 +x",
               sign_mode="ORIGIN"))
    worked(sdk("AddCustomAuthIdentity", instance_id=FIRST, identity_type="CLIENT", username=name, client_id=client_id,
               secret="two", sign_mode="SIGNED"))
    assert sorted(found(username=name)) == [
        ("CLIENT", name, client_id, "two", "SIGNED"), ("USER", name, None, "s&1 +x", "ORIGIN")]
    worked(sdk("UpdateCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username=name, secret="three",
               sign_mode="SIGNED"))
    assert found(username=name, identity_type="USER") == [("USER", name, None, "three", "SIGNED")]
    worked(sdk("DeleteCustomAuthIdentity", instance_id=FIRST, identity_type="CLIENT", username=name,
               client_id=client_id))
    assert found(username=name) == [("USER", name, None, "three", "SIGNED")]
    worked(sdk("DeleteCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username=name))
    assert found(username=name) == []
    code_of(sdk, "UpdateCustomAuthIdentity", instance_id=FIRST, identity_type="USER", username=name, secret="x",
            sign_mode="ORIGIN")


@pytest.mark.parametrize("changes", [
    {"identity_type": "BOTH"}, {"sign_mode": "PLAIN"}, {"username": "x" * 65}, {"username": ""}, {"secret": ""},
    {"identity_type": "CLIENT"},
], ids=str)
def test_bad_identities(sdk, name, changes):
    wanted = {"identity_type": "USER", "username": name, "secret": "s", "sign_mode": "ORIGIN", **changes}
    code_of(sdk, "AddCustomAuthIdentity", instance_id=FIRST, **wanted)


def test_custom_permissions(sdk, name):
    def found():
        page = worked(sdk("QueryCustomAuthPermission", instance_id=FIRST, size=100, identity=name)).data
        return [(entry.identity_type, entry.identity, entry.topic, entry.permit_action, entry.effect)
                for entry in page.results or []]

    grant = {"instance_id": FIRST, "identity_type": "USER", "identity": name, "topic": f"orders/{name}/#"}
    worked(sdk("AddCustomAuthPermission", **grant, permit_action="PUB_SUB", effect="ALLOW"))
    assert found() == [("USER", name, f"orders/{name}/#", "PUB_SUB", "ALLOW")]
    worked(sdk("UpdateCustomAuthPermission", **grant, permit_action="PUB_SUB", effect="DENY"))
    assert found() == [("USER", name, f"orders/{name}/#", "PUB_SUB", "DENY")]
    worked(sdk("DeleteCustomAuthPermission", **grant))
    assert found() == []
    code_of(sdk, "AddCustomAuthPermission", **{**grant, "topic": "nowhere/#"}, permit_action="PUB_SUB", effect="ALLOW")


def test_custom_bans(sdk, client_id):
    def found():
        answer = sdk("QueryCustomAuthConnectBlack", instance_id=FIRST, size=100, client_id=client_id)
        return [entry.client_id for entry in worked(answer).data.results or []]

    worked(sdk("AddCustomAuthConnectBlack", instance_id=FIRST, client_id=client_id))
    assert found() == [client_id]
    worked(sdk("DeleteCustomAuthConnectBlack", instance_id=FIRST, client_id=client_id))
    assert found() == []


# MARK: clients


def test_online_state(service, sdk, client_id, name):
    others = [f"GID_apus@@@{name}-{number}" for number in range(9)]

    def online():
        answer = sdk("BatchQuerySessionByClientIds", instance_id=FIRST, client_id_list=[client_id, *others])
        states = {entry.client_id: entry.online_status for entry in answer.online_status_list}
        assert set(states) == {client_id, *others} and not any(states[other] for other in others)
        alone = sdk("QuerySessionByClientId", instance_id=FIRST, client_id=client_id).online_status
        assert states[client_id] is alone
        return alone

    assert online() is False
    with Device(service, client_id):
        assert online() is True
        assert sdk("QuerySessionByClientId", instance_id=SECOND, client_id=client_id).online_status is False
    code_of(sdk, "BatchQuerySessionByClientIds", instance_id=FIRST, client_id_list=[client_id, *others, "GID_apus@@@x"])


def test_a_connection_is_closed(service, sdk, client_id, version):
    with Device(service, client_id, version=version) as device:
        worked(sdk("CloseConnection", instance_id=FIRST, client_id=client_id))
        device.wait_for_end()
    # The client may come back.
    with Device(service, client_id, version=version):
        pass


def test_messages_are_sent(service, sdk, client_id, name, version):
    with Device(service, client_id, version=version) as device:
        device.subscribe(f"chat/{name}", 1)
        answer = sdk("SendMessage", instance_id=FIRST, mqtt_topic=f"chat/{name}", payload="first & öäü +%26")
        assert MESSAGE_ID.fullmatch(answer.msg_id)
        other = sdk("SendMessage", instance_id=FIRST, mqtt_topic=f"orders/p2p/{client_id}", payload="to one")
        assert other.msg_id != answer.msg_id
        assert device.payloads(2) == ["first & öäü +%26".encode(), b"to one"]
        assert [message.topic for message in device.of_peers()] == [f"chat/{name}", f"orders/p2p/{client_id}"]
        assert [message.qos for message in device.of_peers()] == [1, 1]


@pytest.mark.parametrize("topic", ["nowhere", "nowhere/x", "chat/#", "chat/+", "", "chat/" + "x" * 60])
def test_messages_to_bad_topics(sdk, topic):
    assert code_of(sdk, "SendMessage", instance_id=FIRST, mqtt_topic=topic, payload="x") in (
        "PermissionCheckFailed", "ParameterCheckFailed", "InvalidParameter.MqttTopic", "MissingParameter")


# MARK: traces


def since(begin):
    """The parameters of a trace query that covers the test."""
    return {"instance_id": FIRST, "mqtt_region_id": "local", "begin_time": begin, "end_time": now() + 60_000}


def test_the_trace_of_a_device(service, sdk, client_id):
    begin = now() - 1000
    with Device(service, client_id):
        pass
    refusal(service, client_id, (signature(client_id)[0], "wrong"))
    with Device(service, client_id) as device:
        sdk("CloseConnection", instance_id=FIRST, client_id=client_id)
        device.wait_for_end()

    def events(**more):
        answer = sdk("QueryMqttTraceDevice", client_id=client_id, **since(begin),
                     **{"current_page": 1, "page_size": 100, **more})
        return answer, answer.device_info_list or []

    answer, seen = events()
    assert answer.total == len(seen) and answer.current_page == 1 and answer.page_size == 100
    accepted = [entry for entry in seen if entry.action == "connect" and entry.action_info == "accepted"]
    assert len(accepted) == 2 and accepted[0].channel_id != accepted[1].channel_id
    assert all(entry.action_code == "mqtt.trace.action.connect" for entry in accepted)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", entry.time) for entry in seen)
    assert [entry.time for entry in seen] == sorted(entry.time for entry in seen)
    ended = [entry for entry in seen if entry.action in ("close", "disconnect")]
    assert {entry.channel_id for entry in accepted} <= {entry.channel_id for entry in ended}
    assert "disconnected by client" in {entry.action_info for entry in ended}
    assert any("not authorized" in entry.action_info for entry in seen)
    _, newest_first = events(reverse=True)
    assert [entry.time for entry in newest_first] == [entry.time for entry in reversed(seen)]
    _, page = events(page_size=1, current_page=2)
    assert [entry.to_map() for entry in page] == [seen[1].to_map()]
    _, beyond = events(page_size=100, current_page=99)
    assert beyond == []


def test_the_traces_of_a_message(service, sdk, client_id, name):
    begin, sender = now() - 1000, f"{client_id}-s"
    with Device(service, client_id) as receiver, Device(service, sender) as device:
        receiver.subscribe(f"chat/{name}", 1)
        device.publish(f"chat/{name}", b"x")
        receiver.payloads(1)
        pages = {"current_page": 1, "page_size": 100, **since(begin)}
        published = sdk("QueryMqttTraceMessageOfClient", client_id=sender, **pages)
        events = [entry for entry in published.message_of_client_list if entry.action == "pub_mqtt"]
        assert published.total == len(published.message_of_client_list)
        assert [(entry.client_id, entry.action_code) for entry in events] == [
            (sender, "mqtt.trace.action.msg.pub.mqtt")]
        message = events[0].msg_id
        assert MESSAGE_ID.fullmatch(message)
        lists = sdk("QueryMqttTraceMessagePublish", msg_id=message, **since(begin)).message_trace_lists
        assert [(entry.msg_id, entry.client_id, entry.action) for entry in lists] == [(message, sender, "pub_mqtt")]
        to = sdk("QueryMqttTraceMessageSubscribe", msg_id=message, current_page=1, page_size=100, **since(begin))
        pushed = [(entry.client_id, entry.action, entry.action_code) for entry in to.message_trace_lists
                  if entry.action == "sub"]
        assert pushed == [(client_id, "sub", "mqtt.trace.action.msg.sub")]
        nobody = sdk("QueryMqttTraceMessageSubscribe", msg_id=message, client_id=sender, current_page=1, page_size=100,
                     **since(begin))
        assert not nobody.message_trace_lists and nobody.total == 0


def test_the_trace_of_an_unknown_message_is_empty(sdk):
    answer = sdk("QueryMqttTraceMessagePublish", msg_id="0" * 32, **since(now() - 1000))
    assert not answer.message_trace_lists


# MARK: certificates


def test_certificates_of_authorities(sdk, name):
    code = sdk("GetRegisterCode", mqtt_instance_id=FIRST).register_code
    assert code
    authority = Authority(f"CA {name}")
    wrong = {"ca_name": name, "ca_content": authority.pem,
             "verification_content": authority.issue("something else").pem}
    assert code_of(sdk, "RegisterCaCertificate", mqtt_instance_id=FIRST, **wrong) == "RegisterCodeError"
    strange = {**wrong, "verification_content": Authority("another").issue(code).pem}
    code_of(sdk, "RegisterCaCertificate", mqtt_instance_id=FIRST, **strange)
    code_of(sdk, "RegisterCaCertificate", mqtt_instance_id=FIRST, **{**wrong, "ca_content": "no certificate"})
    verification = authority.issue(code)
    number = sdk("RegisterCaCertificate", mqtt_instance_id=FIRST, ca_name=name, ca_content=authority.pem,
                 verification_content=verification.pem).sn
    data = sdk("GetCaCertificate", mqtt_instance_id=FIRST, sn=number).data
    assert (data.sn, data.ca_name, data.status, data.registration_code) == (number, name, "1", code)
    assert data.ca_content.strip() == authority.pem.strip()
    assert data.verification_content.strip() == verification.pem.strip()
    assert int(data.valid_begin) < now() < int(data.valid_end)

    def status():
        page = sdk("ListCaCertificate", mqtt_instance_id=FIRST, page_no="1", page_size="100").data
        assert page.page_no == 1 and page.page_size == 100 and page.total == len(page.ca_certificate_vos)
        return {entry.sn: entry.status for entry in page.ca_certificate_vos}.get(number)

    assert status() == "1"
    assert sdk("InactivateCaCertificate", mqtt_instance_id=FIRST, sn=number).sn == number
    assert status() == "0"
    assert sdk("ActiveCaCertificate", mqtt_instance_id=FIRST, sn=number).sn == number
    assert status() == "1"
    assert sdk("DeleteCaCertificate", mqtt_instance_id=FIRST, sn=number).sn == number
    assert status() is None
    for action in ["GetCaCertificate", "ActiveCaCertificate", "InactivateCaCertificate", "DeleteCaCertificate"]:
        code_of(sdk, action, mqtt_instance_id=FIRST, sn=number)


def test_certificates_of_devices_that_are_not_there(sdk):
    """Device certificates come by themselves at the first connection: `test_certificates.py` has that."""
    where = {"mqtt_instance_id": FIRST, "ca_sn": "1234", "device_sn": "5678"}
    code_of(sdk, "GetDeviceCertificate", **where)
    code_of(sdk, "ActiveDeviceCertificate", **where)
    code_of(sdk, "InactivateDeviceCertificate", **where)
    code_of(sdk, "DeleteDeviceCertificate", **where)
    page = sdk("ListDeviceCertificate", mqtt_instance_id=FIRST, page_no="1", page_size="10").data
    assert (page.page_no, page.page_size, page.total, page.device_certificate_vos or []) == (1, 10, 0, [])
    page = sdk("ListDeviceCertificateByCaSn", mqtt_instance_id=FIRST, ca_sn="1234", page_no="1", page_size="10").data
    assert (page.total, page.device_certificate_vos or []) == (0, [])


def test_server_names(sdk):
    answer = sdk("SetSniConfig", mqtt_instance_id=FIRST, default_certificate="default",
                 sni_config="a.example#cert-a#secret;b.example#cert-b#secret")
    assert str(answer.success).lower() == "true"
    code_of(sdk, "SetSniConfig", mqtt_instance_id=FIRST, default_certificate="default", sni_config="no hashes here")


@pytest.mark.parametrize("call", [
    lambda sdk: sdk("DisasterDowngrade", instance_id=FIRST, downgrade_instance_id=SECOND),
    lambda sdk: sdk("DisasterRecovery", instance_id=FIRST, recovery_instance_id=SECOND),
], ids=["downgrade", "recovery"])
def test_disaster_actions(sdk, call):
    """The vendor offers them on request only; a service without them says so with the documented code."""
    try:
        worked(call(sdk))
    except TeaException as error:
        assert (error.code, error.status_code) == ("ApiNotSupport", 404)


# MARK: the older version


def test_groups_by_the_older_version(sdk, name):
    group = f"GID_{name}"
    sdk.old_version("CreateGroupId", instance_id=FIRST, group_id=group)
    found = {entry.group_id: entry for entry in sdk.old_version("ListGroupId", instance_id=FIRST).data}
    assert found[group].instance_id == FIRST and found[group].create_time > 0
    sdk.old_version("DeleteGroupId", instance_id=FIRST, group_id=group)
    assert group not in {entry.group_id for entry in sdk.old_version("ListGroupId", instance_id=FIRST).data}


def test_tokens_by_the_older_version(service, sdk, client_id, name):
    text = sdk.old_version("ApplyToken", instance_id=FIRST, actions="R,W", resources="orders/#",
                           expire_time=now() + 3_600_000).token
    assert sdk.old_version("QueryToken", instance_id=FIRST, token=text).token_status is True
    with Device(service, client_id, token_login({"RW": text})) as device:
        assert device.still_works(f"orders/{name}")
    sdk.old_version("RevokeToken", instance_id=FIRST, token=text)
    assert sdk.old_version("QueryToken", instance_id=FIRST, token=text).token_status is False


def test_clients_by_the_older_version(service, sdk, client_id):
    with Device(service, client_id):
        assert sdk.old_version("QuerySessionByClientId", instance_id=FIRST, client_id=client_id).online_status is True
        answer = sdk.old_version("BatchQuerySessionByClientIds", instance_id=FIRST,
                                 client_id_list=[client_id, "GID_apus@@@nobody"])
        assert {entry.client_id: entry.online_status for entry in answer.online_status_list} == {
            client_id: True, "GID_apus@@@nobody": False}


def test_messages_by_the_older_version(service, sdk, client_id, name):
    message = models_2019.BatchSendMessagesRequestMessages
    with Device(service, client_id) as device:
        device.subscribe(f"chat/{name}/#", 1)
        one = sdk.old_version("SendMessage", instance_id=FIRST, mqtt_topic=f"chat/{name}", payload="one",
                              receipt_id="r")
        assert MESSAGE_ID.fullmatch(one.msg_id)
        answer = sdk.old_version("BatchSendMessages", instance_id=FIRST, messages=[
            message(id=7, payload="two", topics=[f"chat/{name}/a", f"chat/{name}/b"], receipt_id="r2"),
            message(id=8, payload="three", topics=["nowhere/x"]),
            message(id=9, payload="four", topics=[f"orders/p2p/{client_id}"]),
        ])
        by_id = {entry.id: entry for entry in answer.responses}
        assert set(by_id) == {7, 8, 9}
        assert by_id[7].error_code == 0 and MESSAGE_ID.fullmatch(by_id[7].msg_id)
        assert by_id[8].error_code != 0 and by_id[8].error_message
        assert sorted(device.payloads(4)) == [b"four", b"one", b"two", b"two"]
