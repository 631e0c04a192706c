"""Bare WebSocket frames, as no client library would send them: RFC 6455 and chapter 6 of MQTT.

MQTT-6.0.0-1, MQTT-6.0.0-2, MQTT-6.0.0-3, MQTT-6.0.0-4; v3 MQTT-6.0.0-1, v3 MQTT-6.0.0-2, v3 MQTT-6.0.0-3,
v3 MQTT-6.0.0-4
"""

import base64
import hashlib
import os
import struct

import pytest

from apus import CONNECT_3_1_1, CONNECT_5, Wire

BINARY, TEXT, CLOSE, PING, PONG, CONTINUATION = 2, 1, 8, 9, 10, 0
PINGREQ = b"\xC0\x00"
PINGRESP = b"\xD0\x00"


class WebSocket(Wire):
    """The client's side of a WebSocket, frame by frame."""

    def __init__(self, endpoint, *, protocols="mqtt", path="/mqtt", key=None, version="13", upgrade=True):
        super().__init__(endpoint)
        key = key or base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {endpoint.host}:{endpoint.port}", f"Sec-WebSocket-Key: {key}",
                 f"Sec-WebSocket-Version: {version}"]
        if upgrade:
            lines += ["Upgrade: websocket", "Connection: keep-alive, Upgrade"]
        if protocols is not None:
            lines.append(f"Sec-WebSocket-Protocol: {protocols}")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive(1)
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, value in
                        (line.split(":", 1) for line in rest if ":" in line)}
        self.accept = base64.b64encode(
            hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()

    def frame(self, payload, opcode=BINARY, *, final=True, masked=True, reserved=0):
        mask = os.urandom(4)
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        flag = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([flag | len(payload)])
        elif len(payload) < 65536:
            head += bytes([flag | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([flag | 127]) + struct.pack(">Q", len(payload))
        if masked:
            return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        return head + payload

    def say(self, payload, opcode=BINARY, **options):
        self.send(self.frame(payload, opcode, **options))

    def hear(self):
        """The next frame: opcode and payload."""
        first, second = self.receive(2)
        assert first & 0x70 == 0 and second & 0x80 == 0, "a server sets no reserved bits and does not mask"
        length = second
        if length == 126:
            (length,) = struct.unpack(">H", self.receive(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.receive(8))
        return first & 0x0F, self.receive(length)

    def hear_bytes(self, count):
        """MQTT bytes, however they are framed."""
        data = b""
        while len(data) < count:
            opcode, payload = self.hear()
            assert opcode in (BINARY, CONTINUATION)
            data += payload
        return data

    def hear_close(self):
        """The closing frame's code; None when the connection simply ends."""
        try:
            while True:
                opcode, payload = self.hear()
                if opcode == CLOSE:
                    return struct.unpack(">H", payload[:2])[0] if payload else 1005
        except (EOFError, ConnectionResetError):
            return None

    def connect(self):
        """CONNECT and CONNACK of 3.1.1, whose length is known."""
        self.say(CONNECT_3_1_1)
        assert self.hear_bytes(4) == b"\x20\x02\x00\x00"


@pytest.fixture
def websocket(broker):
    with WebSocket(broker.endpoint("ws")) as made:
        made.connect()
        yield made


def test_the_handshake_selects_mqtt(broker):
    """MQTT-6.0.0-3, MQTT-6.0.0-4"""
    with WebSocket(broker.endpoint("ws"), protocols="chat, mqtt") as made:
        assert made.status == 101
        assert made.headers["sec-websocket-accept"] == made.accept
        assert made.headers["sec-websocket-protocol"] == "mqtt"


def test_the_handshake_selects_the_older_name(broker):
    with WebSocket(broker.endpoint("ws"), protocols="mqttv3.1") as made:
        assert made.status == 101
        assert made.headers["sec-websocket-protocol"] == "mqttv3.1"


@pytest.mark.parametrize("wrong", [
    {"protocols": "chat"}, {"protocols": None}, {"version": "12"}, {"upgrade": False}, {"key": "short"},
], ids=lambda wrong: next(iter(wrong)))
def test_a_wrong_handshake_is_refused(broker, wrong):
    """MQTT-6.0.0-3"""
    with WebSocket(broker.endpoint("ws"), **wrong) as made:
        assert 400 <= made.status < 500
        assert "sec-websocket-protocol" not in made.headers


def test_something_else_than_http_is_closed(broker):
    with Wire(broker.endpoint("ws")) as wire:
        wire.send(CONNECT_5)
        wire.send(b"\r\n\r\n")
        answer = wire.socket.recv(4096)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_several_packets_in_one_frame(websocket):
    """MQTT-6.0.0-2"""
    websocket.say(PINGREQ * 3)
    assert websocket.hear_bytes(6) == PINGRESP * 3


def test_a_packet_over_several_frames(websocket):
    """MQTT-6.0.0-2"""
    for byte in PINGREQ * 2:
        websocket.say(bytes([byte]))
    assert websocket.hear_bytes(4) == PINGRESP * 2


def test_frames_that_do_not_fit_packets(broker):
    """MQTT-6.0.0-2"""
    with WebSocket(broker.endpoint("ws")) as made:
        stream = CONNECT_3_1_1 + PINGREQ * 4
        for start in range(0, len(stream), 5):
            made.say(stream[start:start + 5])
        assert made.hear_bytes(12) == b"\x20\x02\x00\x00" + PINGRESP * 4


def test_a_fragmented_message_with_a_ping_between(websocket):
    websocket.say(PINGREQ[:1], BINARY, final=False)
    websocket.say(b"between", PING)
    websocket.say(b"", CONTINUATION, final=False)
    websocket.say(PINGREQ[1:], CONTINUATION)
    heard = sorted([websocket.hear(), websocket.hear()])
    assert heard == [(BINARY, PINGRESP), (PONG, b"between")]


def test_an_empty_frame_is_nothing(websocket):
    websocket.say(b"")
    websocket.say(PINGREQ)
    assert websocket.hear_bytes(2) == PINGRESP


def test_a_pong_nobody_asked_for_is_ignored(websocket):
    websocket.say(b"hello", PONG)
    websocket.say(PINGREQ)
    assert websocket.hear_bytes(2) == PINGRESP


def test_text_frames_end_the_connection(websocket):
    """MQTT-6.0.0-1"""
    websocket.say(PINGREQ, TEXT)
    assert websocket.hear_close() in (1003, 1002, None)


@pytest.mark.parametrize("frame", [
    {"masked": False}, {"reserved": 4}, {"opcode": 3}, {"opcode": 11}, {"opcode": CONTINUATION},
    {"opcode": PING, "final": False}, {"opcode": PING, "payload": b"x" * 126}, {"opcode": CLOSE, "payload": b"x"},
], ids=str)
def test_a_wrong_frame_ends_the_connection(websocket, frame):
    websocket.say(frame.pop("payload", PINGREQ), **frame)
    assert websocket.hear_close() in (1002, None)


def test_a_close_frame_is_answered(websocket):
    websocket.say(struct.pack(">H", 1000), CLOSE)
    assert websocket.hear_close() == 1000
    assert websocket.at_end()


def test_a_frame_of_a_petabyte_is_not_waited_for(websocket):
    websocket.send(bytes([0x82, 0xFF]) + struct.pack(">Q", 1 << 50) + b"mask")
    # The packet inside decides and not the frame's length: unmasked, this is packet type 0.
    websocket.send(b"mask")
    assert websocket.hear_close() in (1000, 1002, 1009, None)


def test_everything_at_once(broker):
    """The handshake and what follows in one segment."""
    endpoint = broker.endpoint("ws")
    key = base64.b64encode(bytes(16)).decode()
    head = (f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n").encode()
    with Wire(endpoint) as wire:
        frame = WebSocket.frame(wire, CONNECT_3_1_1 + PINGREQ)
        wire.send(head + frame)
        answer = b""
        while not answer.endswith(PINGRESP):
            answer += wire.receive(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"\x20\x02\x00\x00" in answer
