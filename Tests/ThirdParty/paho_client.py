"""paho-mqtt as tests want it: connected when made, and everything that came in a list to wait for."""

import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from apus import PATIENCE


def properties(packet, **values):
    """Properties for a packet type: `properties(PacketTypes.CONNECT, SessionExpiryInterval=60)`."""
    result = Properties(packet)
    for key, value in values.items():
        setattr(result, key, value)
    return result


class Paho:
    def __init__(self, endpoint, client_id="", *, version=paho.MQTTv5, transport="tcp", clean=True, expiry=None,
                 connect_properties=None, will=None, user=None, tls=None, keepalive=60, expect=0):
        five = version == paho.MQTTv5
        self.client = paho.Client(client_id, clean_session=None if five else clean, protocol=version,
                                  transport=transport)
        self.messages, self.disconnects = [], []
        self.connack = None
        self.session_present = None
        self._acknowledged, self._granted = set(), {}
        self._changed = threading.Condition()
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = lambda client, _, mid: self._note(lambda: self._acknowledged.add(mid))
        self.client.on_subscribe = self._on_subscribe
        self.client.on_unsubscribe = lambda client, _, mid, *rest: self._note(lambda: self._granted.update({mid: []}))
        if will:
            self.client.will_set(**will)
        if user:
            self.client.username_pw_set(*user)
        if tls:
            self.client.tls_set(**tls)
        arguments = {}
        if five:
            arguments["clean_start"] = clean
            wanted = dict(connect_properties or {})
            if expiry is not None:
                wanted["SessionExpiryInterval"] = expiry
            arguments["properties"] = properties(PacketTypes.CONNECT, **wanted)
        self.client.connect(endpoint.host, endpoint.port, keepalive, **arguments)
        self.client.loop_start()
        self._until(lambda: self.connack is not None, "CONNACK")
        assert self.connack == expect, f"CONNACK {self.connack}"

    # Callbacks come on paho's thread.

    def _note(self, change):
        with self._changed:
            change()
            self._changed.notify_all()

    def _on_connect(self, client, _, flags, code, connack_properties=None):
        def change():
            self.connack = code if isinstance(code, int) else code.value
            self.session_present = bool(flags["session present"])
            self.connack_properties = connack_properties
        # paho connects again by itself after a refusal; only the first answer counts.
        if self.connack is None:
            self._note(change)

    def _on_message(self, client, _, message):
        self._note(lambda: self.messages.append(message))

    def _on_disconnect(self, client, _, code, disconnect_properties=None):
        self._note(lambda: self.disconnects.append(code if isinstance(code, int) else code.value))

    def _on_subscribe(self, client, _, mid, codes, subscribe_properties=None):
        values = [code if isinstance(code, int) else code.value for code in codes]
        self._note(lambda: self._granted.update({mid: values}))

    def _until(self, condition, what):
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"{what} did not come; came {self.messages}"

    # What tests do.

    def subscribe(self, filter, qos=0, **options):
        """Subscribes and returns the reason codes."""
        if options:
            _, mid = self.client.subscribe(filter, options=SubscribeOptions(qos=qos, **options))
        else:
            _, mid = self.client.subscribe(filter, qos)
        self._until(lambda: mid in self._granted, f"SUBACK for {filter}")
        return self._granted[mid]

    def unsubscribe(self, filter):
        _, mid = self.client.unsubscribe(filter)
        self._until(lambda: mid in self._granted, f"UNSUBACK for {filter}")

    def publish(self, topic, payload=b"", qos=1, retain=False, wait=True, **wanted):
        extra = {"properties": properties(PacketTypes.PUBLISH, **wanted)} if wanted else {}
        mid = self.client.publish(topic, payload, qos, retain, **extra).mid
        if wait:
            self._until(lambda: mid in self._acknowledged, f"the acknowledgement of {topic}")
        return mid

    def wait_for_acknowledgements(self, mids):
        self._until(lambda: set(mids) <= self._acknowledged, "all acknowledgements")

    def wait_for_messages(self, count):
        """The first `count` messages, when so many have come."""
        self._until(lambda: len(self.messages) >= count, f"message {count} after {len(self.messages)}")
        return self.messages[:count]

    def payloads(self, count):
        return [message.payload for message in self.wait_for_messages(count)]

    def wait_for_disconnect(self):
        self._until(lambda: self.disconnects, "the end of the connection")
        return self.disconnects[0]

    def disconnect(self):
        """Ends the connection properly."""
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self):
        """Ends the connection as a broken network would."""
        self.client._sock_close()
        self.client.loop_stop(force=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()
