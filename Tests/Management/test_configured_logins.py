"""Logins that the configuration describes: JSON Web Tokens, HTTP services, demanded certificates, listeners' instances."""

import contextlib
import json
import pathlib
import ssl
import tempfile
import threading
import time

import pytest

from apus import eventually
from authorities import Authority
from device import (
    BAD_CREDENTIALS, LOGIN_REFUSED, NOT_AUTHORIZED, SUCCESS, V3, Device, Refused, refusal, signature,
)
from hook import Hook, Nobody, allow
from service import FIRST, FOREIGN, RESOURCES, SECOND, STANDARD, TAKEOVER, Sdk, Service
from tokens import Elliptic, Rsa, Secret, token

PLAIN, LATER = "post-cn-plain0001", "post-cn-later0001"
SERVER_UNAVAILABLE = 0x88
ISSUER, AUDIENCE = "https://login.example.org", "mqtt"

# Listeners are told apart by their address of loopback; each belongs to an instance but the first.
DEFAULT, OF_STANDARD, OF_PLAIN, OF_SECOND, OF_LATER, OF_TAKEOVER, OF_FOREIGN, CLOSED = (
    f"127.0.0.{number}" for number in range(1, 9))


class Keys:
    def __init__(self):
        self.secret, self.rsa, self.elliptic = Secret("0123456789abcdef0123456789abcdef"), Rsa(), Elliptic()


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="apus-logins-") as path:
        yield pathlib.Path(path)


@pytest.fixture(scope="module")
def authority():
    return Authority("The shop's login service")


@pytest.fixture(scope="module")
def hook():
    with Hook() as running:
        yield running
        held.set()


@pytest.fixture(scope="module")
def secure_hook(folder, authority):
    certificate = authority.issue("login", host="127.0.0.1")
    (folder / "hook.pem").write_text(certificate.pem + certificate.key_pem)
    with Hook(folder / "hook.pem") as running:
        yield running


@pytest.fixture(scope="module")
def service(folder, keys, hook, secure_hook, authority):
    for name, key in (("secret", keys.secret), ("rsa.pem", keys.rsa), ("elliptic.pem", keys.elliptic)):
        (folder / name).write_text(key.file_content)
    (folder / "ca.pem").write_text(authority.pem)
    # Whoever does not know the authority must not trust the service.
    (folder / "other-ca.pem").write_text(Authority("Somebody else").pem)
    with Nobody() as nobody:
        configuration = {
            "authentication": {
                "jwt": [
                    {"keys": [{"secretFile": f"{folder}/secret"}]},
                    {"instance": STANDARD, "issuer": ISSUER, "audience": AUDIENCE, "leewaySeconds": 5, "keys": [
                        {"id": "r1", "publicKeyFile": f"{folder}/rsa.pem"},
                        {"id": "e1", "publicKeyFile": f"{folder}/elliptic.pem"},
                    ]},
                ],
                "http": [
                    {"instance": FIRST, "url": hook.url("/mqtt?v=1"), "timeoutMilliseconds": 9000, "calls": 8},
                    {"instance": FOREIGN, "url": hook.url(), "timeoutMilliseconds": 200},
                    {"instance": SECOND, "url": secure_hook.url(), "caFile": f"{folder}/ca.pem"},
                    {"instance": PLAIN, "url": secure_hook.url(), "caFile": f"{folder}/other-ca.pem"},
                    {"instance": TAKEOVER, "url": nobody.url},
                ],
            },
            "listeners": [
                f"mqtt://{DEFAULT}:0",
                {"url": f"mqtt://{OF_STANDARD}:0", "instance": STANDARD},
                {"url": f"mqtt://{OF_PLAIN}:0", "instance": PLAIN},
                {"url": f"mqtt://{OF_SECOND}:0", "instance": SECOND},
                {"url": f"mqtt://{OF_LATER}:0", "instance": LATER},
                {"url": f"mqtt://{OF_TAKEOVER}:0", "instance": TAKEOVER},
                {"url": f"mqtt://{OF_FOREIGN}:0", "instance": FOREIGN},
                {"url": f"mqtt://{CLOSED}:0", "instance": STANDARD, "allowAnonymous": False},
            ],
        }
        # JSON is YAML.
        (folder / "apus.yaml").write_text(json.dumps(configuration))
        resources = RESOURCES + f"  - {{id: {PLAIN}, account: shop, profile: standard}}\n"
        with Service("--config", folder / "apus.yaml", resources=resources, listen=()) as running:
            yield running


def at(service, host):
    return next(endpoint for endpoint in service.endpoints if endpoint.host == host)


def log_says(service, client_id, words):
    """Waits for a line about the client; the log has a thread of its own."""
    eventually(lambda: any(client_id in line and words in line for line in service.logged().splitlines()),
               f"`{words}` about {client_id} in the log:\n{service.logged()[-2000:]}")


# MARK: HTTP services


def test_a_service_is_asked_who_may_come_and_with_what_rights(service, hook, client_id, version):
    rules = [{"effect": "allow", "action": ["publish", "subscribe"], "topic": "orders/#"},
             {"effect": "deny", "action": ["publish"], "topic": "orders/secret"}]
    hook.answers["alice"] = lambda: allow(acl=rules)
    with Device(service, client_id, ("alice", "pass\"wört"), version=version) as device:
        assert device.subscribe("orders/#", 1) == [1]
        assert device.publish("orders/x", b"mine") == SUCCESS
        assert device.payloads(1) == [b"mine"]
        assert device.publish("orders/secret") in (NOT_AUTHORIZED, None)
    question = hook.questions_of("alice")[-1]
    assert question == {"instanceId": FIRST, "clientId": client_id, "username": "alice", "password": "pass\"wört",
                        "clientIp": "127.0.0.1", "protocolVersion": 4 if version == V3 else 5}
    assert hook.targets_of("alice") == {"/mqtt?v=1"}


def test_a_denial_is_a_wrong_password(service, client_id):
    assert refusal(service, client_id, ("mallory", "x")).code == BAD_CREDENTIALS


held = threading.Event()


def silent():
    """Answers when nobody waits any more."""
    held.wait()
    return allow()


@pytest.mark.parametrize("answer, words", [
    (lambda: (500, {"Content-Type": "application/json"}, '{"result":"allow"}'), "answered with status 500"),
    (lambda: (302, {"Location": "/elsewhere"}, ""), "answered with status 302"),
    (lambda: (200, {"Content-Type": "text/html"}, '{"result":"allow"}'), "content type"),
    (lambda: (200, {}, '{"result":"allow"}'), "content type"),
    (lambda: (200, {"Content-Type": "application/json"}, "{"), "answered with something else"),
    (lambda: allow(more="x" * 5000), "more than 4096 bytes"),
    (lambda: None, "closed the connection before its answer was complete"),
], ids=["status", "redirection", "type", "no type", "half", "long", "closed"])
def test_a_service_that_fails_lets_nobody_in_and_the_log_says_why(service, hook, name, client_id, answer, words):
    hook.answers[name] = answer
    assert refusal(service, client_id, (name, "x")).code == SERVER_UNAVAILABLE
    log_says(service, client_id, words)


def test_a_silent_service_is_not_waited_for(service, hook, name, client_id):
    hook.answers[name] = silent
    refused = refusal(service, client_id, (name, "x"), endpoint=at(service, OF_FOREIGN))
    assert refused.code == SERVER_UNAVAILABLE
    log_says(service, client_id, "no answer within 200 ms")


def test_a_service_that_is_not_there_lets_nobody_in(service, client_id):
    refused = refusal(service, client_id, ("alice", "x"), endpoint=at(service, OF_TAKEOVER))
    assert refused.code == SERVER_UNAVAILABLE
    # The device is not told where the service is.
    assert "127.0.0.1" not in refused.words
    log_says(service, client_id, "no connection to 127.0.0.1")


def test_a_service_by_https_must_show_a_certificate_of_the_configured_authority(service, secure_hook, client_id, name):
    secure_hook.answers[name] = allow
    with Device(service, client_id, (name, "x"), endpoint=at(service, OF_SECOND)) as device:
        assert device.still_works("orders/x")
    assert refusal(service, client_id, (name, "x"), endpoint=at(service, OF_PLAIN)).code == SERVER_UNAVAILABLE
    assert len(secure_hook.questions_of(name)) == 1
    log_says(service, client_id, "certificate verify failed")


def test_connections_to_a_service_are_kept(service, hook, client_id, name):
    hook.answers[name] = allow
    before = hook.connections
    for _ in range(10):
        Device(service, client_id, (name, "x")).disconnect()
    assert len(hook.questions_of(name)) == 10
    assert hook.connections - before <= 2


def test_a_storm_of_logins_is_served(service, hook, name):
    hook.answers[name] = allow
    with contextlib.ExitStack() as stack:
        for number in range(100):
            stack.enter_context(Device(service, f"GID_apus@@@{name}-{number}", (name, "x")))


# MARK: JSON Web Tokens


@pytest.mark.parametrize("kind, kid", [("rsa", "r1"), ("elliptic", "e1"), ("rsa", None)])
def test_a_token_of_the_instances_own_keys_lets_in(service, keys, name, version, kind, kid):
    password = token(getattr(keys, kind), kid, iss=ISSUER, aud=[AUDIENCE, "more"], sub="alice")
    with Device(service, name, ("alice", password), version=version, endpoint=at(service, OF_STANDARD)) as device:
        assert device.still_works("any/topic")


def test_rules_of_a_token_are_rights(service, keys, name):
    rules = [{"effect": "allow", "action": ["publish"], "topic": f"{name}/#"}]
    password = token(keys.rsa, "r1", iss=ISSUER, aud=AUDIENCE, acl=rules, client_id=name)
    with Device(service, name, ("alice", password), endpoint=at(service, OF_STANDARD)) as device:
        assert device.still_works(f"{name}/x")
        assert device.publish("elsewhere") == NOT_AUTHORIZED


@pytest.mark.parametrize("make", [
    lambda keys: token(keys.rsa, "r1", iss="https://elsewhere.example.org", aud=AUDIENCE),
    lambda keys: token(keys.rsa, "r1", iss=ISSUER, aud="another service"),
    lambda keys: token(keys.rsa, "r1", iss=ISSUER, aud=AUDIENCE, sub="bob"),
    lambda keys: token(keys.rsa, "r1", iss=ISSUER, aud=AUDIENCE, client_id="another"),
    lambda keys: token(keys.rsa, "r1", lifetime=-6, iss=ISSUER, aud=AUDIENCE),
    lambda keys: token(keys.rsa, "e1", iss=ISSUER, aud=AUDIENCE),
    lambda keys: token(keys.rsa, "r2", iss=ISSUER, aud=AUDIENCE),
    lambda keys: token(Rsa(), "r1", iss=ISSUER, aud=AUDIENCE),
    lambda keys: token(keys.secret, iss=ISSUER, aud=AUDIENCE),
    lambda keys: token(Secret(keys.rsa.file_content), "r1", iss=ISSUER, aud=AUDIENCE),
], ids=["issuer", "audience", "user", "client id", "expired", "key of another kind", "unknown key", "another's key",
        "secret of the other instances", "public key as secret"])
def test_a_token_that_does_not_hold_lets_nobody_in(service, keys, name, make):
    refused = refusal(service, name, ("alice", make(keys)), endpoint=at(service, OF_STANDARD))
    assert refused.code in LOGIN_REFUSED


def test_a_little_difference_of_clocks_is_allowed_where_it_is_configured(service, keys, name):
    password = token(keys.rsa, "r1", lifetime=60, iss=ISSUER, aud=AUDIENCE, nbf=time.time() + 3)
    with Device(service, name, ("alice", password), endpoint=at(service, OF_STANDARD)) as device:
        assert device.still_works("x")


def test_other_instances_of_the_standard_profile_share_keys(service, keys, name):
    with Device(service, name, ("alice", token(keys.secret)), endpoint=at(service, OF_PLAIN)) as device:
        assert device.still_works("x")
    # Not those of the service's own profile.
    assert refusal(service, f"GID_apus@@@{name}", (name, token(keys.secret))).code in LOGIN_REFUSED


# MARK: listeners of instances


def test_a_listener_belongs_to_an_instance(service, name):
    with Device(service, name, (None, None), endpoint=at(service, OF_STANDARD)) as device:
        assert device.still_works("x")
        assert service.rest("GET", f"/instances/{STANDARD}/clients/{name}")[0] == 200
        assert service.rest("GET", f"/instances/{FIRST}/clients/{name}")[0] == 404


def test_who_names_an_instance_gets_that_one_by_any_listener(service, client_id):
    with Device(service, client_id, signature(client_id, SECOND), endpoint=at(service, OF_STANDARD)) as device:
        assert device.still_works("orders/x")
        path = f"/instances/{SECOND}/clients/{client_id}".replace("@", "%40")
        assert service.rest("GET", path)[0] == 200


def test_a_listener_without_anonymous_clients_takes_none(service, name):
    assert refusal(service, name, (None, None), endpoint=at(service, CLOSED)).code == NOT_AUTHORIZED


def test_an_instance_that_is_not_there_yet_is_told_at_start_and_works_once_it_is(service, name):
    def warnings():
        return [line for line in service.logged().splitlines() if "configuration.warning" in line]

    eventually(warnings, "a warning")
    assert len(warnings()) == 1 and f"listeners[4].instance names instance `{LATER}`" in warnings()[0], warnings()
    refused = refusal(service, name, (None, None), endpoint=at(service, OF_LATER))
    assert refused.code in LOGIN_REFUSED
    body = {"id": LATER, "account": "shop", "profile": "standard"}
    assert service.rest("POST", "/instances", body)[0] == 201
    with Device(service, name, (None, None), endpoint=at(service, OF_LATER)) as device:
        assert device.still_works("x")


# MARK: certificates


@pytest.fixture(scope="module")
def demanding(folder, authority):
    """A service whose first instance demands certificates, and devices' authority registered with it."""
    server = Authority("Server").issue("localhost", host="localhost")
    (folder / "server.pem").write_text(server.pem)
    (folder / "server.key").write_text(server.key_pem)
    settings = {
        "tls.certificate": folder / "server.pem", "tls.key": folder / "server.key",
        "tls.clientCA": folder / "ca.pem", "tls.clientCertificate": "optional",
        "authentication.certificateInstances": f"{FIRST} {TAKEOVER}",
    }
    (folder / "ca.pem").write_text(authority.pem)
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    with Service(*options, listen=["mqtt://127.0.0.1:0", "mqtts://127.0.0.1:0"]) as running:
        sdk = Sdk(running)
        code = sdk("GetRegisterCode", mqtt_instance_id=FIRST).register_code
        sdk("RegisterCaCertificate", mqtt_instance_id=FIRST, ca_name="shop", ca_content=authority.pem,
            verification_content=authority.issue(code).pem)
        yield running


def secure(demanding, folder, client_id, instance, certificate=None):
    context = ssl.create_default_context()
    # What the server shows is not what these tests are about.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        (folder / "device.pem").write_text(certificate.pem + certificate.key_pem)
        context.load_cert_chain(folder / "device.pem")
    return Device(demanding, client_id, signature(client_id, instance), endpoint=demanding.endpoint("mqtts"), tls=context)


def test_an_instance_demands_a_certificate(demanding, folder, authority, client_id):
    with secure(demanding, folder, client_id, FIRST, authority.issue(client_id)) as device:
        assert device.still_works("orders/x")
    for attempt in (lambda: secure(demanding, folder, client_id, FIRST), lambda: Device(demanding, client_id)):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == NOT_AUTHORIZED
        assert "demands a client certificate" in refused.value.words
    # One that has no authorities has nothing to check by.
    with pytest.raises(Refused) as refused:
        secure(demanding, folder, client_id, TAKEOVER, authority.issue(client_id))
    assert "has no registered CA certificate" in refused.value.words
    # Another instance demands nothing.
    with secure(demanding, folder, client_id, SECOND) as device:
        assert device.still_works("orders/x")


# MARK: changes


def test_keys_and_services_change_without_a_restart(folder, client_id):
    old, new = Secret("a" * 32), Secret("b" * 32)
    (folder / "changing").write_text(old.file_content)
    file = folder / "changing.yaml"

    def write(**authentication):
        keys = {"jwt": [{"keys": [{"secretFile": f"{folder}/changing"}]}]}
        file.write_text(json.dumps({"authentication": {**keys, **authentication},
                                    "listeners": [{"url": "mqtt://127.0.0.1:0", "instance": STANDARD}]}))

    write()
    with Hook() as hook, Service("--config", file, listen=()) as service:
        with Device(service, "one", ("alice", token(old))) as device:
            (folder / "changing").write_text(new.file_content)
            write(http=[{"instance": STANDARD, "url": hook.url()}])
            service.reload()
            assert device.still_works("x")
        assert refusal(service, "two", ("alice", token(old))).code in LOGIN_REFUSED
        Device(service, "two", ("alice", token(new))).disconnect()
        hook.answers["bob"] = allow
        Device(service, "three", ("bob", "x")).disconnect()
        report = [line for line in service.logged().splitlines() if "configuration.reloaded" in line][-1]
        assert "authentication.http" in report and f"{folder}/changing" in report
        # A key that cannot be used changes nothing.
        (folder / "changing").write_text("too short")
        write()
        service.reload()
        report = [line for line in service.logged().splitlines() if "configuration.reloaded" in line][-1]
        assert "HS256 needs 32 at least" in report and '"changed":"no setting"' in report.replace(" = ", '":"'), report
        Device(service, "two", ("alice", token(new))).disconnect()
        Device(service, "three", ("bob", "x")).disconnect()
