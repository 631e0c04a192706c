"""Who may connect, and who may publish and subscribe to what.

MQTT-3.1.4-2; v3 MQTT-3.3.5-2
"""

import itertools

import paho.mqtt.client as paho
import pytest

from apus import BINARY, Apus, run
from paho_client import Paho

BOTH = pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5.0"])
SECRETS = {"alice": "correct horse", "bob": "battery staple", "carol": "geheim: ö"}


_sources = itertools.count()


def refusals(version):
    """Bad user name or password; not authorized."""
    return (0x86, 0x87) if version == paho.MQTTv5 else (4, 5)


def set_password(file, user, password):
    run([BINARY, "password", "set", file, user], stdin=password + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    for user in ("alice", "bob"):
        set_password(folder / "passwords", user, SECRETS[user])
    (folder / "acl").write_text(
        "# the test's rights\n"
        "user alice\n"
        "topic readwrite sensors/#\n"
        "topic deny sensors/secret/#\n"
        "topic write commands/%c/in\n"
        "\n"
        "user bob\n"
        "topic read sensors/#\n"
        "\n"
        "pattern readwrite own/%u/#\n"
    )
    (folder / "apus.yaml").write_text(
        "authentication:\n"
        "    anonymous: never\n"
        f"    passwordFile: {folder / 'passwords'}\n"
        "authorization:\n"
        f"    aclFile: {folder / 'acl'}\n"
    )
    return folder


@pytest.fixture(scope="module")
def broker(folder):
    with Apus("--config", folder / "apus.yaml", dev=False) as running:
        yield running
        for secret in SECRETS.values():
            assert secret not in running.logged()


def connect(broker, user, client_id, **options):
    return Paho(broker.endpoint(), client_id, user=(user, SECRETS[user]), **options)


@BOTH
def test_the_right_password_lets_in(broker, name, version):
    with connect(broker, "bob", name, version=version) as client:
        assert client.subscribe("sensors/#", 1) == [1]


def attempt(broker, version, *arguments, source):
    """The status of mosquitto_pub, which is the reason code when it is refused.

    Who fails again and again is made to wait, by address; so each test that fails has an address of its own.
    """
    done = run(["mosquitto_pub", "-A", source, "-p", broker.port, "-t", "own/alice/x", "-m", "x", "-q", 1, *arguments,
                "-V", "mqttv5" if version == paho.MQTTv5 else "mqttv311"], check=False)
    return done.returncode


def loopback_address():
    number = next(_sources)
    return f"127.0.{number // 250 + 1}.{number % 250 + 1}"


@BOTH
@pytest.mark.parametrize("user", [
    ("alice", "wrong"), ("alice", ""), ("alice", None), ("nobody", "correct horse"), ("Alice", "correct horse"),
    ("", ""), ("alice", "battery staple"), ("alice", "correct horse "),
], ids=str)
def test_a_wrong_password_does_not(broker, version, user):
    credentials = (["-u", user[0]] if user[0] else []) + (["-P", user[1]] if user[0] and user[1] is not None else [])
    assert attempt(broker, version, *credentials, source=loopback_address()) in refusals(version)


@BOTH
def test_nobody_is_let_in_without_a_name(broker, version):
    assert attempt(broker, version, source=loopback_address()) in refusals(version)


@BOTH
def test_who_guesses_has_to_wait_and_others_have_not(broker, version):
    source, limited = loopback_address(), 0x9F if version == paho.MQTTv5 else 3
    codes = [attempt(broker, version, "-u", "alice", "-P", f"guess {number}", source=source) for number in range(8)]
    assert codes[0] in refusals(version)
    assert codes[-1] == limited
    assert attempt(broker, version, "-u", "alice", "-P", SECRETS["alice"], source=loopback_address()) == 0


@BOTH
def test_rights_to_subscribe(broker, name, version):
    refused = 0x87 if version == paho.MQTTv5 else 0x80
    with connect(broker, "bob", name, version=version) as bob:
        assert bob.subscribe("sensors/+/temperature", 1) == [1]
        for filter in ["#", "+/x", "own/alice/#", "commands/#", "sensors", "$SYS/#"]:
            expected = [1] if filter == "sensors" else [refused]
            assert bob.subscribe(filter, 1) == expected, filter
    with connect(broker, "alice", f"{name}-a", version=version) as alice:
        # It would reach into what is denied.
        assert alice.subscribe("sensors/#", 1) == [refused]
        assert alice.subscribe("sensors/secret/x", 1) == [refused]
        assert alice.subscribe("sensors/hall", 1) == [1]


@BOTH
def test_rights_to_publish(broker, name, version):
    """Before 5.0 a publisher is not told: its message is acknowledged and dropped, or it is closed."""
    with connect(broker, "bob", f"{name}-bob", version=version) as witness:
        witness.subscribe("own/bob/#", 1)
        witness.subscribe("sensors/#", 1)
        for topic in ["sensors/secret/x", "own/bob/x", "elsewhere", "commands/other/in"]:
            with connect(broker, "alice", f"{name}-{topic}".replace("/", "-"), version=version) as alice:
                alice.publish(topic, "denied", wait=False)
        with connect(broker, "alice", name, version=version) as alice:
            alice.publish(f"commands/{name}/in", "allowed")
            alice.publish("sensors/hall", "allowed")
        assert witness.payloads(1) == [b"allowed"]


@BOTH
def test_a_retained_message_needs_the_right_to_read(broker, name, version):
    refused = 0x87 if version == paho.MQTTv5 else 0x80
    with connect(broker, "alice", f"{name}-a", version=version) as alice:
        alice.publish(f"own/alice/{name}", "mine", retain=True)
        with connect(broker, "bob", name, version=version) as bob:
            assert bob.subscribe("own/alice/#", 1) == [refused]
            bob.subscribe("own/bob/#", 1)
            bob.publish("own/bob/end", "end")
            assert bob.payloads(1) == [b"end"]
        alice.publish(f"own/alice/{name}", "", retain=True)


def test_a_shared_subscription_needs_the_right_to_its_filter(broker, name):
    with connect(broker, "bob", name) as bob:
        assert bob.subscribe("$share/g/sensors/#", 1) == [1]
        assert bob.subscribe("$share/g/own/alice/#", 1) == [0x87]


def test_a_will_needs_the_right_to_publish(broker, name):
    with connect(broker, "bob", f"{name}-w") as witness:
        witness.subscribe("own/bob/#", 1)
        # Refused at CONNECT, or not published: never delivered.
        done = run(["mosquitto_sub", "-p", broker.port, "-V", "mqttv5", "-u", "alice", "-P", SECRETS["alice"], "-E",
                    "-i", name, "-t", "sensors/x", "--will-topic", "own/bob/x", "--will-payload", "evil"], check=False)
        assert done.returncode in (0, 0x87)
        witness.publish("own/bob/end", "end")
        assert witness.payloads(1) == [b"end"]


def test_reload_brings_new_users_and_rights(broker, folder, name):
    set_password(folder / "passwords", "carol", SECRETS["carol"])
    (folder / "acl").write_text((folder / "acl").read_text() + "\nuser carol\ntopic readwrite carol/#\n")
    with connect(broker, "bob", f"{name}-bob") as bob:
        broker.reload()
        with connect(broker, "carol", name) as carol:
            assert carol.subscribe("carol/#", 1) == [1]
            assert carol.subscribe("sensors/#", 1) == [0x87]
        # Who was there stays, with the rights as they are now.
        assert bob.subscribe("sensors/#", 1) == [1]
        run([BINARY, "password", "remove", folder / "passwords", "carol"])
        broker.reload()
        removed = attempt(broker, paho.MQTTv5, "-u", "carol", "-P", SECRETS["carol"], source=loopback_address())
        assert removed in refusals(paho.MQTTv5)


def test_a_broken_acl_file_changes_nothing(broker, folder, name):
    content = (folder / "acl").read_text()
    (folder / "acl").write_text("topic everything #\nnonsense\n")
    try:
        broker.reload()
        with connect(broker, "bob", name) as bob:
            assert bob.subscribe("sensors/#", 1) == [1]
            assert bob.subscribe("own/alice/#", 1) == [0x87]
    finally:
        (folder / "acl").write_text(content)


def test_the_password_file_holds_no_passwords_and_is_private(folder):
    file = folder / "passwords"
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "alice:" in text
    assert not any(secret in text for secret in SECRETS.values())
    assert "alice" in run([BINARY, "password", "list", file]).stdout
