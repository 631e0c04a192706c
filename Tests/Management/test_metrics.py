"""`GET /metrics`: the text format, the documented names, and what logins, queues and the log leave in it."""

import base64
import json
import pathlib
import re
import tempfile
import urllib.error
import urllib.request

import pytest

from apus import BINARY, PATIENCE, eventually, run
from device import Device, credential_login, refusal, signature, token_login
from hook import Hook, allow, deny
from service import ADMIN, FIRST, RESOURCES, SECOND, STANDARD, Sdk, Service
from tokens import Secret, token

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/operations.md"
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')

# Listeners are told apart by their address of loopback.
DEFAULT, OF_STANDARD, OF_SECOND = (f"127.0.0.{number}" for number in range(1, 4))


class Metrics:
    """An answer of `/metrics`, read strictly by the text format 0.0.4."""

    def __init__(self, text):
        self.types, self.values, self.helps = {}, {}, set()
        family = None
        assert text.endswith("\n")
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                name, words = line[7:].split(" ", 1)
                assert name not in self.helps and words, f"once, and before its type: {line}"
                self.helps.add(name)
                family = name
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                assert name == family and name not in self.types, f"a family stands in one piece: {line}"
                self.types[name] = kind
            else:
                name, labels, value = SAMPLE.fullmatch(line).groups()
                found = LABEL.findall(labels or "")
                assert "".join(f'{key}="{value}",' for key, value in found) == (f"{labels}," if labels else ""), line
                suffixes = ("_bucket", "_sum", "_count") if self.types[family] == "histogram" else ("",)
                assert name in {family + suffix for suffix in suffixes}, f"{line} stands under {family}"
                series = (name, tuple(sorted(found)))
                assert series not in self.values, f"twice: {line}"
                self.values[series] = float(value)
        assert self.helps == set(self.types)

    def value(self, name, **labels):
        """0 for a series that is not there."""
        return self.values.get((name, tuple(sorted(labels.items()))), 0)

    def labels(self, family):
        """The names of labels of a family, but a histogram's own."""
        return {key for (name, labels) in self.values for key, _ in labels if self.family(name) == family} - {"le"}

    def label_values(self, key):
        return {value for (_, labels) in self.values for known, value in labels if known == key}

    def family(self, name):
        if name in self.types:
            return name
        return name.rsplit("_", 1)[0]

    def buckets(self, family, **labels):
        """(bound, count) in the order of the bounds."""
        found = []
        for (name, series), value in self.values.items():
            series = dict(series)
            if name == f"{family}_bucket" and {key: series[key] for key in labels} == labels:
                found.append((float(series["le"]), value))
        return sorted(found)

    def logins(self):
        return {(labels["mode"], labels["result"]): value for (name, series), value in self.values.items()
                if name == "apus_logins_total" and (labels := dict(series))}


@pytest.fixture(scope="module")
def hook():
    with Hook() as running:
        yield running


@pytest.fixture(scope="module")
def secret():
    return Secret("0123456789abcdef0123456789abcdef")


@pytest.fixture(scope="module")
def service(hook, secret):
    with tempfile.TemporaryDirectory(prefix="apus-metrics-") as path:
        folder = pathlib.Path(path)
        (folder / "secret").write_text(secret.file_content)
        run([BINARY, "password", "set", folder / "passwords", "alice"], stdin="of alice\n")
        configuration = {
            "authentication": {
                "passwordFile": f"{folder}/passwords",
                "jwt": [{"instance": STANDARD, "keys": [{"secretFile": f"{folder}/secret"}]}],
                "http": [{"instance": SECOND, "url": hook.url()}],
            },
            "listeners": [
                f"mqtt://{DEFAULT}:0",
                {"url": f"mqtt://{OF_STANDARD}:0", "instance": STANDARD},
                {"url": f"mqtt://{OF_SECOND}:0", "instance": SECOND},
            ],
        }
        (folder / "apus.yaml").write_text(json.dumps(configuration))
        with Service("--config", folder / "apus.yaml", resources=RESOURCES, listen=()) as running:
            # Before that the API has not counted anything.
            assert running.rest("GET", "/instances")[0] == 200
            yield running


def read(service):
    with urllib.request.urlopen(f"{service.api}/metrics", timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Metrics(answer.read().decode())


def at(service, host):
    return next(endpoint for endpoint in service.endpoints if endpoint.host == host)


def documented():
    """Type and labels by name, as the table says."""
    rows = re.findall(r"^\| `(apus_\w+)` \| (\w+) \| ([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) == len({name for name, _, _ in rows}) > 30
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_every_name_is_documented_and_every_documented_name_is_there(service):
    metrics, table = read(service), documented()
    assert set(metrics.types) == set(table)
    for name, (kind, labels) in table.items():
        assert metrics.types[name] == kind, name
        assert metrics.labels(name) == labels, name


def test_values_of_labels_are_documented_too(service, client_id):
    refusal(service, client_id, ("nobody \"};\\\n", "x"))
    metrics = read(service)
    section = DOCUMENT.read_text().split("\n# Metrics\n")[1]
    words = set(re.findall(r"`(\w+)`", section))
    for key in ("mode", "result", "reason", "client", "api"):
        assert metrics.label_values(key) and metrics.label_values(key) <= words, key


def test_histograms_are_cumulative(service):
    metrics = read(service)
    families = [(name, {}) for name, kind in metrics.types.items() if kind == "histogram" and not metrics.labels(name)]
    families += [("apus_api_request_duration_seconds", {"api": api}) for api in ("rest", "rpc")]
    assert len(families) == 5
    for family, labels in families:
        buckets = metrics.buckets(family, **labels)
        counts = [count for _, count in buckets]
        assert [bound for bound, _ in buckets][::19] == [1e-5, float("inf")]
        assert counts == sorted(counts)
        assert counts[-1] == metrics.value(f"{family}_count", **labels)
        assert metrics.value(f"{family}_sum", **labels) >= 0


def test_requests_of_the_api_are_timed(service):
    before = read(service)
    for _ in range(3):
        service.rest("GET", "/instances")
    after = read(service)
    name = "apus_api_request_duration_seconds_count"
    assert after.value(name, api="rest") - before.value(name, api="rest") == 3
    assert after.value(name, api="rpc") == before.value(name, api="rpc")


def test_logins_are_counted_by_mode_and_result(service, hook, secret, client_id, name):
    admin = Sdk(service)
    before = read(service).logins()
    plain = {"client_id": name}
    standard, second = {"endpoint": at(service, OF_STANDARD)}, {"endpoint": at(service, OF_SECOND)}
    hook.answers["erika"], hook.answers["otto"] = allow, deny
    hook.answers["late"] = lambda: (500, {}, "")
    credential = admin("RegisterDeviceCredential", instance_id=FIRST, client_id=client_id).device_credential
    service_token = admin.token(FIRST, "R,W", "orders/#")
    jwt, expired = token(secret, sub="jane"), token(secret, sub="jane", lifetime=-3600)
    admin("AddCustomAuthIdentity", instance_id=FIRST, username=name, secret="of the identity", sign_mode="ORIGIN",
          identity_type="USER")
    accepted = [
        ("signature", client_id, signature(client_id), {}),
        ("token", client_id, token_login({"RW": service_token}), {}),
        ("device_credential", client_id, credential_login(credential, client_id), {}),
        ("custom", client_id, (name, "of the identity"), {}),
        ("http", client_id, ("erika", "x"), second),
        ("jwt", plain["client_id"], ("jane", jwt), standard),
        ("password_file", plain["client_id"], ("alice", "of alice"), standard),
        ("anonymous", plain["client_id"], (None, None), standard),
    ]
    for _, client, login, options in accepted:
        Device(service, client, login, **options).disconnect()
    refused = [
        ("signature", "bad_signature", client_id, (signature(client_id)[0], "x"), {}),
        ("signature", "unknown_key", client_id, (f"Signature|LTAInobody|{FIRST}", "x"), {}),
        ("none", "unknown_instance", client_id, signature(client_id, "post-cn-nowhere"), {}),
        ("signature", "malformed", client_id, (f"Signature|{ADMIN[0]}", "x"), {}),
        ("signature", "unknown_group", "GID_none@@@x", signature("GID_none@@@x"), {}),
        ("token", "bad_token", client_id, token_login({"R": "forged"}), {}),
        ("device_credential", "unknown_key", client_id, (f"DeviceCredential|DC.none|{FIRST}", "x"), {}),
        ("custom", "bad_password", client_id, (name, "x"), {}),
        ("http", "denied", client_id, ("otto", "x"), second),
        ("http", "service_failed", client_id, ("late", "x"), second),
        ("jwt", "expired_token", name, ("jane", expired), standard),
        ("jwt", "bad_signature", name, ("jane", jwt[:-6] + "AAAAAA"), standard),
        ("password_file", "bad_password", name, ("alice", "x"), standard),
        ("password_file", "unknown_user", name, ("nobody", "x"), standard),
        ("none", "malformed_client_id", name, signature(name), {}),
        ("none", "unknown_user", client_id, ("nobody", "x"), {}),
    ]
    for _, _, client, login, options in refused:
        refusal(service, client, login, **options)
    after = read(service).logins()
    grown = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    expected = {(mode, "accepted"): 1 for mode, _, _, _ in accepted}
    expected.update({(mode, result): 1 for mode, result, _, _, _ in refused})
    assert grown == expected


def test_what_waits_is_counted_while_it_waits(service, client_id, name):
    topic, count = f"orders/{name}", 7
    before = read(service)

    def waiting():
        metrics = read(service)
        return (metrics.value("apus_queued_messages", client="away") - before.value("apus_queued_messages", client="away"),
                metrics.value("apus_queued_bytes") - before.value("apus_queued_bytes"))

    with Device(service, client_id, clean=False) as device:
        assert device.subscribe(topic, 1) == [1]
    eventually(lambda: read(service).value("apus_connections") == before.value("apus_connections"), "the client's end")
    with Device(service, f"{client_id}-p") as publisher:
        for _ in range(count):
            publisher.publish(topic, b"x" * 1000)
        messages, size = waiting()
        assert messages == count
        assert size >= count * 1000
        with Device(service, client_id, clean=False) as device:
            device.payloads(count)
            eventually(lambda: waiting() == (0, 0) and not read(service).value("apus_in_flight_messages"),
                       "nothing waiting any more")
            # One tick in sixteen is measured, by chance.
            sent, measured = 0, before.value("apus_delivery_duration_seconds_count")
            while read(service).value("apus_delivery_duration_seconds_count") == measured:
                publisher.publish(topic, b"straight through")
                sent += 1
                assert sent < 10_000, "no tick with a delivery was measured"
            device.payloads(count + sent)
    after = read(service)
    assert after.value("apus_queued_messages", client="connected") == 0
    for figure in ("apus_log_append_seconds_count", "apus_log_commit_seconds_count", "apus_log_messages_total",
                   "apus_messages_sent_total", "apus_delivery_duration_seconds_count"):
        assert after.value(figure) > before.value(figure), figure
    assert after.value("apus_log_commit_seconds_count") == after.value("apus_log_commits_total")
    assert after.value("apus_log_append_seconds_sum") > 0


def test_who_is_elsewhere_needs_a_key(service):
    """From this machine nobody is asked; a key that is shown all the same does no harm."""
    request = urllib.request.Request(f"{service.api}/metrics")
    request.add_header("Authorization", "Basic " + base64.b64encode(":".join(ADMIN).encode()).decode())
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{service.api}/metrics", method="POST"), timeout=PATIENCE)
    assert caught.value.code == 405
