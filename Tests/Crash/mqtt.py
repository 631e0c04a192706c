"""MQTT 3.1.1 and 5.0 as a client needs them here, written from the specifications.

Packets are made and taken apart by functions without any I/O; `Connection` puts them onto a socket.
"""

import asyncio
import dataclasses
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14

MESSAGE_EXPIRY, SESSION_EXPIRY, WILL_DELAY, RECEIVE_MAXIMUM, USER_PROPERTY = 0x02, 0x11, 0x18, 0x21, 0x26
# How the value of each property is read: its width, "string", "pair" or "integer" (of variable length).
PROPERTIES = {
    0x01: 1, 0x02: 4, 0x03: "string", 0x08: "string", 0x09: "string", 0x0B: "integer", 0x11: 4, 0x12: "string",
    0x13: 2, 0x15: "string", 0x16: "string", 0x17: 1, 0x18: 4, 0x19: 1, 0x1A: "string", 0x1C: "string", 0x1F: "string",
    0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: "pair", 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}


class ProtocolError(Exception):
    """The broker sent what no broker may send."""


@dataclasses.dataclass(slots=True)
class Packet:
    """What came; only the fields that its kind has are filled."""

    kind: int
    packet_id: int = 0
    reason: int = 0
    reasons: tuple = ()
    session_present: bool = False
    properties: dict = dataclasses.field(default_factory=dict)
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    duplicate: bool = False


# Making packets.

def variable(number):
    encoded = bytearray()
    while True:
        number, digit = divmod(number, 128)
        encoded.append(digit | 0x80 if number else digit)
        if not number:
            return bytes(encoded)


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def packet(first, *parts):
    body = b"".join(parts)
    return bytes([first]) + variable(len(body)) + body


def properties(version, values=()):
    """`values` are pairs of identifier and value; nothing at all before 5.0."""
    if version < 5:
        return b""
    encoded = bytearray()
    for identifier, value in values:
        encoded.append(identifier)
        form = PROPERTIES[identifier]
        if form == "pair":
            encoded += string(value[0]) + string(value[1])
        elif form == "string":
            encoded += string(value)
        elif form == "integer":
            encoded += variable(value)
        else:
            encoded += value.to_bytes(form, "big")
    return variable(len(encoded)) + bytes(encoded)


def connect(version, client_id, *, clean=False, expiry=0, receive_maximum=None, will=None):
    """`will` has topic, payload, qos and delay (5.0)."""
    flags = 0x02 if clean else 0
    tail = string(client_id)
    if will:
        flags |= 0x04 | will.qos << 3
        tail += properties(version, [(WILL_DELAY, will.delay)]) + string(will.topic) + string(will.payload)
    asked = [(SESSION_EXPIRY, expiry)]
    if receive_maximum:
        asked.append((RECEIVE_MAXIMUM, receive_maximum))
    # No keep-alive: a slow machine must not look like a lost connection.
    return packet(0x10, string("MQTT"), bytes([version, flags, 0, 0]), properties(version, asked), tail)


def publish(version, topic, payload, qos, packet_id, *, retain=False, duplicate=False, user=(), expiry=None):
    first = 0x30 | duplicate << 3 | qos << 1 | retain
    identifier = struct.pack(">H", packet_id) if qos else b""
    values = [(USER_PROPERTY, pair) for pair in user]
    if expiry is not None:
        values.append((MESSAGE_EXPIRY, expiry))
    return packet(first, string(topic), identifier, properties(version, values), payload)


def acknowledgement(kind, packet_id):
    return struct.pack(">BBH", kind << 4 | (2 if kind == PUBREL else 0), 2, packet_id)


def subscribe(version, packet_id, filters):
    """`filters` are pairs of filter and QoS."""
    body = b"".join(string(text) + bytes([qos]) for text, qos in filters)
    return packet(0x82, struct.pack(">H", packet_id), properties(version), body)


def unsubscribe(version, packet_id, filters):
    return packet(0xA2, struct.pack(">H", packet_id), properties(version), b"".join(map(string, filters)))


def disconnect():
    """Normal in both versions: without properties, the reason may be left out."""
    return b"\xe0\x00"


# Taking packets apart.

def read_variable(data, at):
    number = 0
    for place in range(4):
        digit = data[at + place]
        number |= (digit & 0x7F) << 7 * place
        if digit < 0x80:
            return number, at + place + 1
    raise ProtocolError("a length of more than four bytes")


def read_string(data, at):
    end = at + 2 + int.from_bytes(data[at:at + 2], "big")
    return data[at + 2:end].decode(), end


def read_properties(data, at):
    """User properties come as a list of pairs, the others once."""
    length, at = read_variable(data, at)
    end, found = at + length, {}
    while at < end:
        identifier, form = data[at], PROPERTIES.get(data[at])
        at += 1
        if form is None:
            raise ProtocolError(f"property {identifier:#x}")
        if form == "pair":
            name, at = read_string(data, at)
            value, at = read_string(data, at)
            found.setdefault(identifier, []).append((name, value))
        elif form == "string":
            found[identifier], at = read_string(data, at)
        elif form == "integer":
            found[identifier], at = read_variable(data, at)
        else:
            found[identifier] = int.from_bytes(data[at:at + form], "big")
            at += form
    return found, end


def parse(version, first, body):
    kind, flags = first >> 4, first & 15
    if kind == PUBLISH:
        return parse_publish(version, flags, body)
    if kind == CONNACK:
        got = Packet(kind, session_present=bool(body[0] & 1), reason=body[1])
        if version == 5 and len(body) > 2:
            got.properties, _ = read_properties(body, 2)
        return got
    if kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        return Packet(kind, int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0)
    if kind in (SUBACK, UNSUBACK):
        at = read_properties(body, 2)[1] if version == 5 else 2
        return Packet(kind, int.from_bytes(body[:2], "big"), reasons=tuple(body[at:]))
    if kind == PINGRESP:
        return Packet(kind)
    if kind == DISCONNECT and version == 5:
        return Packet(kind, reason=body[0] if body else 0)
    raise ProtocolError(f"packet type {kind} from a broker")


def parse_publish(version, flags, body):
    got = Packet(PUBLISH, qos=flags >> 1 & 3, retain=bool(flags & 1), duplicate=bool(flags & 8))
    got.topic, at = read_string(body, 0)
    if got.qos:
        got.packet_id = int.from_bytes(body[at:at + 2], "big")
        at += 2
    if version == 5:
        got.properties, at = read_properties(body, at)
    got.payload = body[at:]
    return got


def split(buffer):
    """Cuts whole packets off the front of the buffer: a list of first byte and body."""
    whole, at, end = [], 0, len(buffer)
    while end - at >= 2:
        length, shift, place = 0, 0, at + 1
        while place < end:
            digit = buffer[place]
            length |= (digit & 0x7F) << shift
            shift += 7
            place += 1
            if digit < 0x80:
                break
        else:
            break
        if end - place < length:
            break
        whole.append((buffer[at], bytes(buffer[place:place + length])))
        at = place + length
    del buffer[:at]
    return whole


class Connection(asyncio.Protocol):
    """A socket with MQTT on it: calls `receive(packet)` for each packet, `lost(connection)` once at the end."""

    def __init__(self, version, receive, lost):
        self.version, self._receive, self._lost = version, receive, lost
        self._buffer = bytearray()
        self._transport = None
        self.open = False
        # What the broker did wrong on this connection.
        self.error = None

    @classmethod
    async def dial(cls, port, version, receive, lost):
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: cls(version, receive, lost), "127.0.0.1", port))[1]

    def send(self, data):
        if self.open and not self._transport.is_closing():
            self._transport.write(data)

    def close(self, after=b""):
        self.send(after)
        self.open = False
        if self._transport:
            self._transport.close()

    def abort(self):
        """What has arrived and was not read yet counts as not received."""
        self.open = False
        if self._transport:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport):
        self._transport, self.open = transport, True

    def data_received(self, data):
        self._buffer += data
        for first, body in split(self._buffer):
            if not self.open:
                return
            try:
                self._receive(self, parse(self.version, first, body))
            except (ProtocolError, IndexError, UnicodeDecodeError) as error:
                self.error = f"{error!r} at packet {first:#04x} {body[:64].hex(' ')}"
                self.abort()

    def connection_lost(self, _):
        self.open = False
        self._lost(self)
