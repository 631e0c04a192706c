"""An MQTT client as devices use it: paho-mqtt 2, connected when made, with everything that came to wait for."""

import itertools
import socket
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from apus import PATIENCE
from service import ADMIN, FIRST, hmac_sha1

V3, V5 = paho.MQTTv311, paho.MQTTv5

# Reason codes of MQTT 5.0; paho 2 gives the codes of 3.1.1's CONNACK as these.
SUCCESS, NO_SUBSCRIBERS = 0, 0x10
BAD_CLIENT_ID, BAD_CREDENTIALS, NOT_AUTHORIZED, BANNED = 0x85, 0x86, 0x87, 0x8A
TOPIC_NAME_INVALID, QUOTA_EXCEEDED = 0x90, 0x97
FAILED_3 = 0x80

LOGIN_REFUSED = (BAD_CREDENTIALS, NOT_AUTHORIZED)


def signature(client_id, instance=FIRST, key=ADMIN):
    """User name and password of the mode Signature."""
    return f"Signature|{key[0]}|{instance}", hmac_sha1(key[1], client_id)


def token_login(tokens, instance=FIRST, key=ADMIN):
    """User name and password of the mode Token; `tokens` is {"R": text, …}."""
    return f"Token|{key[0]}|{instance}", "|".join(f"{kind}|{text}" for kind, text in tokens.items())


def credential_login(credential, client_id):
    """User name and password of the mode DeviceCredential, from an answer of the API."""
    return (f"DeviceCredential|{credential.device_access_key_id}|{credential.instance_id}",
            hmac_sha1(credential.device_access_key_secret, client_id))


class Refused(Exception):
    """The broker did not accept the CONNECT."""

    def __init__(self, code, words):
        super().__init__(f"0x{code:02X} {words}" if code is not None else "closed without an answer")
        self.code, self.words = code, words


class Device:
    """A connected client; use it in a `with`."""

    def __init__(self, service, client_id, login=None, *, version=V5, clean=True, expiry=None, will=None,
                 instance=FIRST, keepalive=60, endpoint=None, tls=None, source=""):
        """`login` is (user name, password); without it the mode Signature with the administrator's key.

        `source` is the address of loopback to come from.
        """
        self.messages, self.ends = [], []
        self.client_id, self.version = client_id, version
        self._acknowledged, self._granted = {}, {}
        self._connack, self._changed = None, threading.Condition()
        five = version == V5
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, None if five else clean,
                                  protocol=version, reconnect_on_failure=False)
        self.client.on_connect = lambda client, _, flags, code, properties: self._note(
            lambda: setattr(self, "_connack", (code.value, bool(flags.session_present), properties)))
        self.client.on_message = lambda client, _, message: self._note(lambda: self.messages.append(message))
        self.client.on_disconnect = lambda client, _, flags, code, properties: self._note(
            lambda: self.ends.append((code.value, words(properties))))
        self.client.on_publish = lambda client, _, mid, code, properties: self._note(
            lambda: self._acknowledged.update({mid: code.value}))
        self.client.on_subscribe = lambda client, _, mid, codes, properties: self._note(
            lambda: self._granted.update({mid: [code.value for code in codes]}))
        self.client.username_pw_set(*(login or signature(client_id, instance)))
        if will:
            self.client.will_set(**will)
        if tls:
            self.client.tls_set_context(tls)
        arguments = {}
        if five:
            arguments["clean_start"] = clean
            if expiry is None and not clean:
                expiry = 3600
            if expiry:
                properties = Properties(PacketTypes.CONNECT)
                properties.SessionExpiryInterval = expiry
                arguments["properties"] = properties
        endpoint = endpoint or service.endpoint()
        self.client.connect(endpoint.host, endpoint.port, keepalive, source, **arguments)
        self.client.loop_start()
        self._until(lambda: self._connack or self.ends, "CONNACK")
        code, self.session_present, self.properties = self._connack or (None, False, None)
        if code != SUCCESS:
            self.client.loop_stop()
            raise Refused(code, words(self.properties))

    def _note(self, change):
        with self._changed:
            change()
            self._changed.notify_all()

    def _until(self, condition, what, patience=PATIENCE):
        with self._changed:
            assert self._changed.wait_for(condition, patience), \
                f"{what} did not come; came {[message.topic for message in self.messages]}, ends {self.ends}"

    def subscribe(self, filter, qos=1, **options):
        """Subscribes and returns the reason codes, in 3.1.1 those of its SUBACK."""
        return self.subscribe_all([filter], qos, **options)

    def subscribe_all(self, filters, qos=1, **options):
        """One SUBSCRIBE for all; the codes come even when the broker closes after them."""
        if self.version == V5:
            topics = [(filter, SubscribeOptions(qos=qos, **options)) for filter in filters]
        else:
            topics = [(filter, qos) for filter in filters]
        _, mid = self.client.subscribe(topics)
        self._until(lambda: mid in self._granted or self.ends, f"SUBACK for {filters}")
        return self._granted.get(mid)

    def publish(self, topic, payload=b"", qos=1, retain=False):
        """Publishes; the reason code of the acknowledgement, None when the connection ended before."""
        mid = self.client.publish(topic, payload, qos, retain).mid
        if qos == 0:
            return None
        self._until(lambda: mid in self._acknowledged or self.ends, f"the acknowledgement of {topic}")
        return self._acknowledged.get(mid)

    def publish_without_waiting(self, topic, payload=b"", qos=1):
        self.client.publish(topic, payload, qos)

    def payloads(self, count, patience=PATIENCE):
        """The payloads of the first `count` messages of peers, when so many have come.

        Nobody waits for silence: a test that wants to see that something does not come publishes an end mark after it.
        """
        self._until(lambda: len(self.of_peers()) >= count, f"message {count}", patience)
        return [message.payload for message in self.of_peers()[:count]]

    def of_peers(self):
        return [message for message in self.messages if not message.topic.startswith("$SYS/")]

    def notice(self, topic, patience=PATIENCE):
        """The first message of the broker on this topic."""
        self._until(lambda: any(message.topic == topic for message in self.messages), topic, patience)
        return next(message.payload for message in self.messages if message.topic == topic)

    def wait_for_end_or_messages(self, count):
        """Waits until so many messages of peers have come, or the connection has ended."""
        self._until(lambda: self.ends or len(self.of_peers()) >= count, f"the end, or message {count}")

    def wait_for_end(self, patience=PATIENCE):
        """Waits until the broker has ended the connection; reason code and sentence."""
        self._until(lambda: self.ends, "the end of the connection", patience)
        return self.ends[0]

    @property
    def is_connected(self):
        return not self.ends

    def still_works(self, topic):
        """Whether the connection lives: a round trip through the broker."""
        return self.publish(topic, b"still here") in (SUCCESS, NO_SUBSCRIBERS)

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self):
        """Ends the connection without DISCONNECT, as a broken network would."""
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()


def words(properties):
    return getattr(properties, "ReasonString", "") or ""


_sources = itertools.count(1)


def refusal(service, client_id, login, **options):
    """The refusal of a CONNECT that must not succeed.

    Who fails again and again is made to wait, by address; so each comes from an address of its own.
    """
    number = next(_sources)
    source = f"127.{number // 62500 + 1}.{number // 250 % 250}.{number % 250 + 1}"
    try:
        Device(service, client_id, login, source=source, **options).disconnect()
    except Refused as refused:
        return refused
    raise AssertionError(f"{client_id} was let in")
