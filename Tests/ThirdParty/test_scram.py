"""Enhanced authentication with SCRAM-SHA-256 (RFC 7677), by a client of its own: no library at hand speaks it.

MQTT-4.12.0-2, MQTT-4.12.0-3, MQTT-4.12.0-4, MQTT-4.12.0-5, MQTT-4.12.1-1, MQTT-4.12.1-2, MQTT-3.15.2-1
"""

import base64
import hashlib
import hmac
import itertools
import os

import pytest

from apus import BINARY, Apus, Wire, run

METHOD = "SCRAM-SHA-256"
PASSWORD = "correct horse"
CONTINUE, REAUTHENTICATE = 0x18, 0x19
_numbers = itertools.count()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scram")
    run([BINARY, "password", "set", folder / "passwords", "alice"], stdin=PASSWORD + "\n")
    (folder / "apus.yaml").write_text(
        f"authentication:\n    anonymous: never\n    passwordFile: {folder / 'passwords'}\n")
    with Apus("--config", folder / "apus.yaml", dev=False) as running:
        yield running
        assert PASSWORD not in running.logged()


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return len(data).to_bytes(2, "big") + data


def length(count):
    result = b""
    while True:
        count, digit = divmod(count, 128)
        result += bytes([digit | (0x80 if count else 0)])
        if not count:
            return result


def with_length(data):
    return length(len(data)) + data


class Scram:
    """The client's side of one exchange."""

    def __init__(self, user, password):
        self.password = password
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n={user},r={self.nonce}"

    def first(self):
        return ("n,," + self.bare).encode()

    def final(self, challenge):
        fields = dict(field.split("=", 1) for field in challenge.decode().split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={fields['r']}"
        signed = f"{self.bare},{challenge.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        proof = base64.b64encode(bytes(left ^ right for left, right in zip(client_key, signature))).decode()
        return f"{without_proof},p={proof}".encode()

    def accepts(self, data):
        """Whether the server knows the password too."""
        return data == b"v=" + base64.b64encode(self.server_signature)


class Client(Wire):
    """MQTT 5.0 as far as authentication needs it."""

    def __init__(self, broker):
        # Who fails is made to wait, by address.
        super().__init__(broker.endpoint(), f"127.0.2.{next(_numbers) + 1}")

    def connect(self, data=None, method=METHOD):
        properties = b"\x15" + text(method) + (b"\x16" + text(data) if data is not None else b"")
        body = text("MQTT") + b"\x05\x02\x00\x3C" + with_length(properties) + text(f"scram{next(_numbers)}")
        self.send(b"\x10" + with_length(body))

    def auth(self, code, data, method=METHOD):
        properties = (b"\x15" + text(method) if method else b"") + b"\x16" + text(data)
        self.send(b"\xF0" + with_length(bytes([code]) + with_length(properties)))

    def packet(self):
        """Type, reason code, and the properties that matter: method and data."""
        kind = self.receive(1)[0]
        count, scale = 0, 1
        while True:
            digit = self.receive(1)[0]
            count += (digit & 0x7F) * scale
            scale *= 128
            if digit < 0x80:
                break
        body = self.receive(count)
        if kind == 0x20:
            body = body[1:]
        code, found, rest = (body[0] if body else 0), {}, body[2:] if len(body) > 1 else b""
        sizes = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
        while rest:
            number, rest = rest[0], rest[1:]
            size = sizes.get(number)
            if size is None:
                size, rest = int.from_bytes(rest[:2], "big"), rest[2:]
            found[number], rest = rest[:size], rest[size:]
        return kind, code, found.get(0x15, b"").decode(), found.get(0x16, b"")

    def log_in(self, user="alice", password=PASSWORD):
        scram = Scram(user, password)
        self.connect(scram.first())
        kind, code, method, challenge = self.packet()
        assert (kind, code, method) == (0xF0, CONTINUE, METHOD)
        self.auth(CONTINUE, scram.final(challenge))
        return scram, self.packet()

    def ping(self):
        self.send(b"\xC0\x00")
        assert self.receive(2) == b"\xD0\x00"


def test_the_right_password_lets_in(broker):
    with Client(broker) as client:
        scram, (kind, code, method, data) = client.log_in()
        assert (kind, code, method) == (0x20, 0, METHOD)
        assert scram.accepts(data)
        client.ping()


def test_the_exchange_may_begin_with_the_challenge(broker):
    with Client(broker) as client:
        client.connect()
        assert client.packet() == (0xF0, CONTINUE, METHOD, b"")
        scram = Scram("alice", PASSWORD)
        client.auth(CONTINUE, scram.first())
        _, code, _, challenge = client.packet()
        assert code == CONTINUE
        client.auth(CONTINUE, scram.final(challenge))
        kind, code, _, data = client.packet()
        assert (kind, code) == (0x20, 0) and scram.accepts(data)


@pytest.mark.parametrize("user,password", [("alice", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_password_is_refused_as_a_wrong_name_is(broker, user, password):
    with Client(broker) as client:
        _, (kind, code, _, _) = client.log_in(user, password)
        assert kind == 0x20 and code == 0x86
        assert client.at_end()


def test_another_method_is_refused(broker):
    with Client(broker) as client:
        client.connect(b"x", "SCRAM-SHA-1")
        kind, code, _, _ = client.packet()
        assert (kind, code) == (0x20, 0x8C)
        assert client.at_end()


@pytest.mark.parametrize("answer", [
    (REAUTHENTICATE, METHOD), (0, METHOD), (CONTINUE, "SCRAM-SHA-1"), (CONTINUE, None),
], ids=str)
def test_a_wrong_answer_ends_the_exchange(broker, answer):
    with Client(broker) as client:
        scram = Scram("alice", PASSWORD)
        client.connect(scram.first())
        challenge = client.packet()[3]
        client.auth(answer[0], scram.final(challenge), answer[1])
        kind, code, _, _ = client.packet()
        assert kind == 0x20 and code in (0x81, 0x82, 0x8C)
        assert client.at_end()


def test_other_packets_during_the_exchange_end_it(broker):
    """MQTT-3.1.2-30"""
    with Client(broker) as client:
        client.connect(Scram("alice", PASSWORD).first())
        client.packet()
        client.send(b"\xC0\x00")
        kind, code, _, _ = client.packet()
        assert (kind, code) == (0x20, 0x82)
        assert client.at_end()


def test_an_exchange_cannot_be_replayed(broker):
    recorded = Scram("alice", PASSWORD)
    with Client(broker) as client:
        client.connect(recorded.first())
        final = recorded.final(client.packet()[3])
        client.auth(CONTINUE, final)
        assert client.packet()[:2] == (0x20, 0)
    with Client(broker) as client:
        client.connect(recorded.first())
        client.packet()
        client.auth(CONTINUE, final)
        kind, code, _, _ = client.packet()
        assert kind == 0x20 and code >= 0x80


def test_authentication_again(broker):
    with Client(broker) as client:
        client.log_in()
        scram = Scram("alice", PASSWORD)
        client.auth(REAUTHENTICATE, scram.first())
        kind, code, method, challenge = client.packet()
        assert (kind, code, method) == (0xF0, CONTINUE, METHOD)
        # The connection goes on meanwhile.
        client.ping()
        client.auth(CONTINUE, scram.final(challenge))
        kind, code, method, data = client.packet()
        assert (kind, code, method) == (0xF0, 0, METHOD) and scram.accepts(data)
        client.ping()


def test_a_failed_authentication_again_ends_the_connection(broker):
    """MQTT-4.12.1-2"""
    with Client(broker) as client:
        client.log_in()
        scram = Scram("alice", "wrong")
        client.auth(REAUTHENTICATE, scram.first())
        client.auth(CONTINUE, scram.final(client.packet()[3]))
        kind, code, _, _ = client.packet()
        assert kind == 0xE0 and code == 0x87
        assert client.at_end()


def test_authentication_again_keeps_the_method(broker):
    """MQTT-4.12.1-1"""
    with Client(broker) as client:
        client.log_in()
        client.auth(REAUTHENTICATE, b"x", "SCRAM-SHA-1")
        kind, code, _, _ = client.packet()
        assert kind == 0xE0 and code in (0x82, 0x8C)
        assert client.at_end()
