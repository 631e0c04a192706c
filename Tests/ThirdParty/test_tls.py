"""TLS with an authority made at run time: mqtts and wss, reload, server names, client certificates."""

import json
import pathlib
import shutil
import socket
import ssl
import time

import paho.mqtt.client as paho
import pytest

from apus import BINARY, CONNECT_3_1_1, PATIENCE, Apus, Wire, eventually, run
from authority import Authority
from paho_client import Paho

SCRIPT = pathlib.Path(__file__).parent / "mqttjs" / "client.js"
# paho 1.6 is older than this wish of Python's.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS:DeprecationWarning")
LISTEN = ["mqtts://127.0.0.1:0", "wss://127.0.0.1:0"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "Other CA")


def configured(folder, tls, more=""):
    """A configuration file with this section `tls`."""
    path = folder / "apus.yaml"
    path.write_text("tls:\n" + "".join(f"    {key}: {value}\n" for key, value in tls.items()) + more)
    return path


@pytest.fixture(scope="module")
def broker(authority, tmp_path_factory):
    certificate, key = authority.issue("server")
    file = configured(tmp_path_factory.mktemp("tls"), {"certificate": certificate, "key": key})
    with Apus("--config", file, listen=LISTEN, dev=False) as running:
        yield running


def tls_context(authority, version=None, client=None):
    context = ssl.create_default_context(cafile=authority.certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    if client:
        context.load_cert_chain(*client)
    return context


class SecureWire(Wire):
    """A bare TLS connection."""

    def __init__(self, endpoint, context, name="localhost"):
        super().__init__(endpoint)
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    @property
    def certificate(self):
        return self.socket.getpeercert(binary_form=True)

    def connect(self):
        self.send(CONNECT_3_1_1)
        assert self.receive(4) == b"\x20\x02\x00\x00"

    def ping(self):
        self.send(b"\xC0\x00")
        assert self.receive(2) == b"\xD0\x00"


def certificate_bytes(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_clients_over_tls(broker, authority, name, version):
    options = ["-p", broker.endpoint("mqtts").port, "-h", "localhost", "--cafile", authority.certificate,
               "-V", version, "-q", 1, "-t", name]
    run(["mosquitto_pub", *options, "-r", "-m", "secret"])
    assert run(["mosquitto_sub", *options, "-C", 1]).stdout == "secret\n"


def test_a_client_refuses_an_unknown_authority(broker, other_authority, name):
    done = run(["mosquitto_pub", "-p", broker.endpoint("mqtts").port, "-h", "localhost", "-t", name, "-m", "x",
                "--cafile", other_authority.certificate], check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("scheme,transport", [("mqtts", "tcp"), ("wss", "websockets")])
@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5], ids=["3.1.1", "5.0"])
def test_paho_over_tls(broker, authority, name, scheme, transport, version):
    endpoint = broker.endpoint(scheme)
    tls = {"ca_certs": str(authority.certificate)}
    with Paho(endpoint, name, version=version, transport=transport, tls=tls) as client:
        payload = bytes(range(256)) * 3600
        client.subscribe(name, 1)
        client.publish(name, payload, 1)
        mids = [client.publish(name, str(number), 1, wait=False) for number in range(200)]
        client.wait_for_acknowledgements(mids)
        assert client.payloads(201) == [payload] + [str(number).encode() for number in range(200)]


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
def test_mqttjs_over_tls(broker, authority, name, scheme):
    options = json.dumps({"caFile": str(authority.certificate), "servername": "localhost", "protocolVersion": 5})
    done = run(["node", SCRIPT, broker.endpoint(scheme).url, options, "large", name])
    assert done.stdout.splitlines() == ["connect false", "large true"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(broker, authority, version):
    with SecureWire(broker.endpoint("mqtts"), tls_context(authority, version)) as wire:
        wire.connect()
        wire.ping()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(broker, authority):
    context = tls_context(authority, ssl.TLSVersion.TLSv1_1)
    # Without this, today's OpenSSL would not even offer it.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        SecureWire(broker.endpoint("mqtts"), context)


def test_plain_bytes_on_a_tls_port_are_closed(broker):
    with Wire(broker.endpoint("mqtts")) as wire:
        wire.send(CONNECT_3_1_1 + bytes(64))
        # An alert may come first.
        while chunk := wire.socket.recv(4096):
            assert chunk[:1] != b"\x20"


def test_a_handshake_byte_by_byte_succeeds(broker, authority):
    """Everything that the client sends arrives in pieces of one byte."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Wire(broker.endpoint("mqtts")) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def flush():
            for byte in outgoing.read():
                wire.send(bytes([byte]))

        def step(action):
            while True:
                try:
                    return action()
                except ssl.SSLWantReadError:
                    flush()
                    incoming.write(wire.socket.recv(65536))

        step(tls.do_handshake)
        tls.write(CONNECT_3_1_1)
        flush()
        assert step(lambda: tls.read(4)) == b"\x20\x02\x00\x00"


def test_a_silent_handshake_does_not_hold_up_others(broker, authority, name):
    with Wire(broker.endpoint("mqtts")) as silent:
        silent.send(b"\x16\x03\x01")
        with SecureWire(broker.endpoint("mqtts"), tls_context(authority)) as wire:
            wire.connect()
            wire.ping()


def test_reload_changes_the_certificate_and_drops_nobody(authority, tmp_path):
    first, second = authority.issue("first"), authority.issue("second")
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"

    def install(issued):
        shutil.copy(issued[0], certificate)
        shutil.copy(issued[1], key)

    install(first)
    file = configured(tmp_path, {"certificate": certificate, "key": key})
    context = tls_context(authority)
    with Apus("--config", file, listen=LISTEN, dev=False) as broker:
        with SecureWire(broker.endpoint("mqtts"), context) as before:
            before.connect()
            assert before.certificate == certificate_bytes(first[0])
            install(second)
            broker.reload()
            for scheme in ("mqtts", "wss"):
                with SecureWire(broker.endpoint(scheme), context) as after:
                    assert after.certificate == certificate_bytes(second[0])
            before.ping()
            # A broken file changes nothing.
            certificate.write_text("this is no certificate\n")
            broker.reload()
            before.ping()
            with SecureWire(broker.endpoint("mqtts"), context) as still:
                assert still.certificate == certificate_bytes(second[0])
                still.connect()


def test_reload_takes_other_paths_and_rules(authority, tmp_path):
    first, second = authority.issue("here"), authority.issue("there")
    file = configured(tmp_path, {"certificate": first[0], "key": first[1]})
    context = tls_context(authority)
    with Apus("--config", file, listen=LISTEN, dev=False) as broker:
        with SecureWire(broker.endpoint("mqtts"), context) as before:
            before.connect()
            configured(tmp_path, {"certificate": second[0], "key": second[1], "clientCA": authority.certificate,
                                  "clientCertificate": "required"})
            broker.reload()
            before.ping()
            for scheme in ("mqtts", "wss"):
                assert refused(broker.endpoint(scheme), context)
                with SecureWire(broker.endpoint(scheme), tls_context(authority, client=first)) as after:
                    assert after.certificate == certificate_bytes(second[0])


def test_the_development_mode_makes_a_certificate_and_keeps_it(name, tmp_path):
    folder = tmp_path / "data"
    with Apus(listen=LISTEN, data=folder) as broker:
        certificate = folder / "dev-cert.pem"
        eventually(lambda: str(certificate) in broker.logged(), "the certificate in the log")
        assert (folder / "dev-key.pem").stat().st_mode & 0o777 == 0o600
        for host in ("localhost", "127.0.0.1"):
            run(["mosquitto_pub", "-p", broker.endpoint("mqtts").port, "-h", host, "--cafile", certificate,
                 "-t", name, "-m", "x", "-q", 1])
        options = json.dumps({"caFile": str(certificate), "servername": "localhost", "protocolVersion": 5})
        run(["node", SCRIPT, broker.endpoint("wss").url, options, "large", name])
        made = certificate.read_bytes()
        broker.reload()
        assert certificate.read_bytes() == made
    with Apus(listen=LISTEN, data=folder) as other:
        assert certificate.read_bytes() == made
        context = ssl.create_default_context(cafile=certificate)
        with SecureWire(other.endpoint("mqtts"), context) as wire:
            wire.connect()


def test_the_development_mode_makes_no_certificate_without_need():
    with Apus() as broker:
        assert [file.name for file in pathlib.Path(broker.data.name).iterdir()] == ["log"]


def test_the_server_name_chooses_the_certificate(authority, tmp_path):
    main = authority.issue("main")
    special = authority.issue("special", common_name="mqtt.example.org", hosts=["DNS:mqtt.example.org"])
    hosts = f"    hosts:\n        - name: mqtt.example.org\n          certificate: {special[0]}\n          key: {special[1]}\n"
    file = configured(tmp_path, {"certificate": main[0], "key": main[1]}, hosts)
    context = tls_context(authority)
    with Apus("--config", file, listen=LISTEN, dev=False) as broker:
        for name, expected in [("localhost", main), ("mqtt.example.org", special)]:
            with SecureWire(broker.endpoint("mqtts"), context, name) as wire:
                assert wire.certificate == certificate_bytes(expected[0])
                wire.connect()


def refused(endpoint, context):
    """Whether the broker lets nobody in; with TLS 1.3 that shows at the first read."""
    try:
        with SecureWire(endpoint, context) as wire:
            wire.send(CONNECT_3_1_1)
            return wire.receive(4) is None
    except (ssl.SSLError, ConnectionError, EOFError):
        return True


def test_client_certificates_can_be_required(authority, other_authority, tmp_path, name):
    certificate, key = authority.issue("server")
    alice = authority.issue("alice", common_name="alice", hosts=["DNS:alice"])
    stranger = other_authority.issue("stranger", common_name="alice", hosts=["DNS:alice"])
    file = configured(tmp_path, {"certificate": certificate, "key": key, "clientCA": authority.certificate,
                                 "clientCertificate": "required"})
    with Apus("--config", file, listen=LISTEN, dev=False) as broker:
        for scheme in ("mqtts", "wss"):
            assert refused(broker.endpoint(scheme), tls_context(authority))
            assert refused(broker.endpoint(scheme), tls_context(authority, client=stranger))
        with SecureWire(broker.endpoint("mqtts"), tls_context(authority, client=alice)) as wire:
            wire.connect()
        without = run([BINARY, "pub", "--url", f"mqtts://localhost:{broker.endpoint('mqtts').port}", "-t", name, "-m", "x",
                       "--ca-file", authority.certificate], check=False)
        assert without.returncode != 0
        assert "alert certificate required" in without.stderr and "--cert" in without.stderr
        assert "looking what the port speaks" not in without.stderr
        run(["mosquitto_pub", "-p", broker.endpoint("mqtts").port, "-h", "localhost", "-t", name, "-m", "x", "-q", 1,
             "--cafile", authority.certificate, "--cert", alice[0], "--key", alice[1]])
        options = json.dumps({"caFile": str(authority.certificate), "certFile": str(alice[0]),
                              "keyFile": str(alice[1]), "servername": "localhost"})
        done = run(["node", SCRIPT, broker.endpoint("wss").url, options, "echo", name])
        assert done.stdout.startswith("connect")


def test_the_common_name_can_be_the_user_name(authority, tmp_path, name):
    certificate, key = authority.issue("server")
    alice = authority.issue("alice", common_name="alice", hosts=["DNS:alice"])
    acl = tmp_path / "acl"
    acl.write_text("pattern readwrite home/%u/#\n")
    more = f"authentication:\n    userNameFromCertificate: true\nauthorization:\n    aclFile: {acl}\n"
    file = configured(tmp_path, {"certificate": certificate, "key": key, "clientCA": authority.certificate,
                                 "clientCertificate": "required"}, more)
    with Apus("--config", file, listen=LISTEN, dev=False) as broker:
        tls = {"ca_certs": str(authority.certificate), "certfile": str(alice[0]), "keyfile": str(alice[1])}
        # The user name in CONNECT counts for nothing here.
        with Paho(broker.endpoint("mqtts"), name, tls=tls, user=("mallory", None)) as client:
            assert client.subscribe("home/alice/#", 1) == [1]
            assert client.subscribe("home/mallory/#", 1) == [0x87]


def test_shutdown_ends_tls_connections_properly(authority, tmp_path):
    certificate, key = authority.issue("server")
    file = configured(tmp_path, {"certificate": certificate, "key": key})
    with Apus("--config", file, listen=LISTEN, dev=False) as broker:
        with SecureWire(broker.endpoint("mqtts"), tls_context(authority)) as wire:
            wire.connect()
            started = time.monotonic()
            broker.signal_stop()
            # close_notify, not a broken stream: Python would raise SSLEOFError.
            assert wire.socket.recv(1) == b""
            assert broker.wait() == 0
            assert time.monotonic() - started < PATIENCE / 2
