"""Requests that are signed wrongly, late, twice or not at all, and requests that make no sense."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse
import uuid

import pytest
from alibabacloud_tea_openapi.models import OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions
from Tea.exceptions import TeaException

from apus import PATIENCE
from service import ADMIN, FIRST, UUID, Sdk


def encoded(text):
    return urllib.parse.quote(str(text), safe="-_.~")


def stamp(offset=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def signed(action, *, key=ADMIN, version="2020-04-20", offset=0, method="POST", nonce=None, **parameters):
    """The query of a request in the older style, RPC 1.0."""
    everything = {
        "Action": action, "Version": version, "Format": "json", "Timestamp": stamp(offset),
        "SignatureNonce": nonce or uuid.uuid4().hex, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
        "AccessKeyId": key[0], **parameters,
    }
    canonical = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(everything.items()))
    text = f"{method}&%2F&{encoded(canonical)}"
    digest = hmac.new(f"{key[1]}&".encode(), text.encode(), hashlib.sha1).digest()
    return f"{canonical}&Signature={encoded(base64.b64encode(digest).decode())}"


def send(service, query="", *, method="POST", body=b"", headers=None, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", service.api_port, timeout=PATIENCE)
    try:
        connection.request(method, f"{path}?{query}" if query else path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def check_refusal(answer, *codes):
    status, body = answer
    assert 400 <= status < 600
    assert {"Code", "Message", "RequestId", "HostId"} <= set(body)
    assert UUID.fullmatch(body["RequestId"]) and body["Message"]
    assert not codes or body["Code"] in codes, body
    assert ADMIN[1] not in json.dumps(body)


def test_a_request_made_by_hand(service):
    status, body = send(service, signed("ListGroupId", InstanceId=FIRST))
    assert status == 200 and "GID_apus" in {entry["GroupId"] for entry in body["Data"]}


def test_parameters_of_query_and_body_are_one(service):
    """As the previous generation of SDKs sends them, by GET and by POST."""
    query = signed("ListGroupId", InstanceId=FIRST, RegionId="cn-hangzhou", SignatureType="")
    assert send(service, query)[0] == 200
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert send(service, body=signed("ListGroupId", InstanceId=FIRST).encode(), headers=form)[0] == 200
    assert send(service, signed("ListGroupId", method="GET", InstanceId=FIRST), method="GET")[0] == 200


@pytest.mark.parametrize("style", ["acs3", "v2"])
@pytest.mark.parametrize("key, code", [
    ((ADMIN[0], "wrong"), "SignatureDoesNotMatch"), (("LTAInobody", "x"), "InvalidAccessKeyId.NotFound"),
], ids=["wrong secret", "unknown key"])
def test_the_sdk_with_a_wrong_key(service, style, key, code):
    with pytest.raises(TeaException) as caught:
        Sdk(service, key=key, style=style)("ListGroupId", instance_id=FIRST)
    assert caught.value.code == code


@pytest.mark.parametrize("style", ["acs3", "v2"])
@pytest.mark.parametrize("action, version", [("NoSuchAction", "2020-04-20"), ("BatchSendMessages", "2020-04-20"),
                                             ("ListInstances", "2019-12-11"), ("ListInstances", "1999-01-01")])
def test_an_action_that_is_not_offered(service, style, action, version):
    parameters = Params(action=action, version=version, protocol="HTTP", pathname="/", method="POST", auth_type="AK",
                        style="RPC", req_body_type="formData", body_type="json")
    with pytest.raises(TeaException) as caught:
        Sdk(service, style=style).new.call_api(parameters, OpenApiRequest(), RuntimeOptions())
    assert caught.value.code in ("ApiNotSupport", "InvalidVersion")


@pytest.mark.parametrize("offset", [-16 * 60, 16 * 60, -86_400], ids=str)
def test_a_clock_that_is_wrong(service, offset):
    check_refusal(send(service, signed("ListGroupId", InstanceId=FIRST, offset=offset)), "InvalidTimeStamp.Expired")


@pytest.mark.parametrize("offset", [-14 * 60, 14 * 60], ids=str)
def test_a_clock_that_is_not_quite_right(service, offset):
    assert send(service, signed("ListGroupId", InstanceId=FIRST, offset=offset))[0] == 200


def test_a_request_counts_once(service):
    query = signed("ListGroupId", InstanceId=FIRST)
    assert send(service, query)[0] == 200
    check_refusal(send(service, query), "SignatureNonceUsed")


def test_a_changed_request(service):
    query = signed("ListGroupId", InstanceId=FIRST)
    check_refusal(send(service, query.replace(FIRST, "post-cn-other0001")), "SignatureDoesNotMatch")
    check_refusal(send(service, query + "&Tags=x"), "SignatureDoesNotMatch")
    check_refusal(send(service, query, method="GET"), "SignatureDoesNotMatch")


@pytest.mark.parametrize("missing", ["Signature", "AccessKeyId", "SignatureNonce", "Timestamp", "Version", "Action"])
def test_a_parameter_of_the_signature_is_missing(service, missing):
    parts = [part for part in signed("ListGroupId", InstanceId=FIRST).split("&") if not part.startswith(f"{missing}=")]
    check_refusal(send(service, "&".join(parts)))


def test_no_signature_at_all(service):
    check_refusal(send(service))
    check_refusal(send(service, "Action=ListInstances&Version=2020-04-20"))
    check_refusal(send(service, headers={"x-acs-action": "ListInstances", "x-acs-version": "2020-04-20"}))
    check_refusal(send(service, headers={"Authorization": "ACS3-HMAC-SHA256 nonsense"}))


def test_a_parameter_is_missing_or_of_the_wrong_type(service):
    for query in [signed("ListGroupId"), signed("ApplyToken", InstanceId=FIRST, Actions="R", Resources="orders/#"),
                  signed("ApplyToken", InstanceId=FIRST, Actions="R", Resources="orders/#", ExpireTime="soon"),
                  signed("QueryCustomAuthIdentity", InstanceId=FIRST, Size="many"),
                  signed("QueryCustomAuthIdentity", InstanceId=FIRST, Size="101"),
                  signed("UntagResources", ResourceType="INSTANCE", All="perhaps", **{"ResourceId.1": FIRST})]:
        check_refusal(send(service, query))


def test_a_parameter_comes_twice(service):
    query = signed("ListGroupId", InstanceId=FIRST)
    check_refusal(send(service, f"{query}&InstanceId={FIRST}"))


def test_a_huge_body(service):
    try:
        check_refusal(send(service, signed("ListInstances"), body=b"x" * 20_000_000))
    except (BrokenPipeError, ConnectionResetError):
        # Closed before all of it was sent, which is as good.
        pass
    assert send(service, signed("ListInstances"))[0] == 200


@pytest.mark.parametrize("value", ["'", '"', "../../etc/passwd", "\0", "x" * 60_000, "%00", "\r\nX: y", "{{7*7}}"],
                         ids=lambda value: repr(value[:20]))
def test_hostile_values_change_nothing(service, value):
    before = send(service, signed("ListGroupId", InstanceId=FIRST))[1]["Data"]
    for query in [signed("ListGroupId", InstanceId=value), signed("CreateGroupId", InstanceId=FIRST, GroupId=value),
                  signed(value, InstanceId=FIRST), signed("ListInstances", version=value)]:
        check_refusal(send(service, query))
    assert send(service, signed("ListGroupId", InstanceId=FIRST))[1]["Data"] == before
