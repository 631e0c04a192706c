"""`apus pub` and `apus sub` against a broker process, and against no broker at all."""

import json
import signal
import socket
import subprocess
import time

import pytest

from apus import BINARY, PATIENCE, Apus, Background, environment, run
from authority import Authority

SCHEMES = ["mqtt", "ws", "unix"]
VERSIONS = ["3.1", "3.1.1", "5"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    path = tmp_path_factory.mktemp("socket") / "mqtt"
    with Apus(listen=["mqtt://127.0.0.1:0", "ws://127.0.0.1:0", f"unix:{path}"]) as running:
        yield running


def pub(url, *arguments, stdin=None, status=0, settings=None):
    """`apus pub` to its end; checks the exit code and that nothing crashed."""
    return client("pub", url, *arguments, stdin=stdin, status=status, settings=settings)


def sub(url, *arguments, status=0):
    return client("sub", url, *arguments, status=status)


def client(verb, url, *arguments, stdin=None, status=0, settings=None):
    command = [str(part) for part in [BINARY, verb, "--url", url, *arguments]]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, env=environment(settings),
    )
    assert done.returncode == status, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done


class Subscriber(Background):
    """`apus sub` in the background, subscribed; its messages are the lines that do not begin like a trace."""

    def __init__(self, url, *arguments):
        super().__init__([BINARY, "sub", "--url", url, "--verbose", *arguments])
        self.until(lambda lines: any(line.startswith("< SUBACK") for line in lines), "a SUBACK")

    @property
    def messages(self):
        return [line for line in self.lines if not line.startswith(("<", ">", "apus:")) and " received (" not in line]

    def until_messages(self, count):
        self.until(lambda _: len(self.messages) >= count, f"{count} messages")
        return self.messages

    def wait(self):
        status = self.process.wait(PATIENCE)
        return status


# Round trips.

@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_message_goes_round(broker, name, scheme, version):
    url = broker.endpoint(scheme).url
    with Subscriber(url, "-t", f"{name}/#", "-v", "-C", 1, "-V", version) as subscriber:
        pub(url, "-t", f"{name}/x", "-m", "grüß dich", "-V", version)
        assert subscriber.until_messages(1) == [f"{name}/x grüß dich"]
        assert subscriber.wait() == 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_quality_of_service(broker, name, qos, version):
    url = broker.endpoint().url
    with Subscriber(url, "-t", name, "-q", qos, "--json", "-C", 20, "-V", version) as subscriber:
        pub(url, "-t", name, "-q", qos, "-m", "x", "--repeat", 20, "-V", version)
        messages = [json.loads(line) for line in subscriber.until_messages(20)]
        assert {message["qos"] for message in messages} == {qos}
        assert subscriber.wait() == 0


def test_a_thousand_lines_in_order(broker, name):
    url = broker.endpoint().url
    with Subscriber(url, "-t", name, "-q", 2, "-C", 1000) as subscriber:
        pub(url, "-t", name, "-q", 2, "-l", stdin="".join(f"line {number}\n" for number in range(1000)))
        assert subscriber.until_messages(1000) == [f"line {number}" for number in range(1000)]
        assert subscriber.wait() == 0


def test_lines_go_out_as_they_come(broker, name):
    url = broker.endpoint().url
    with Subscriber(url, "-t", name) as subscriber:
        command = [BINARY, "pub", "--url", url, "-t", name, "-l"]
        publisher = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment())
        for number in range(3):
            publisher.stdin.write(f"{number}\n")
            publisher.stdin.flush()
            assert subscriber.until_messages(number + 1)[number] == str(number)
        publisher.stdin.write("without an end")
        publisher.stdin.close()
        assert publisher.wait(PATIENCE) == 0
        assert subscriber.until_messages(4)[3] == "without an end"


def test_files_and_standard_input_are_messages(broker, name, tmp_path):
    url = broker.endpoint().url
    payload = "one\ntwo\n"
    (tmp_path / "file").write_text(payload)
    with Subscriber(url, "-t", name, "--json", "-C", 4) as subscriber:
        pub(url, "-t", name, "-f", tmp_path / "file")
        pub(url, "-t", name, "-s", stdin=payload)
        pub(url, "-t", name, "-n")
        (tmp_path / "bytes").write_bytes(b"\xff\x00")
        pub(url, "-t", name, "-f", tmp_path / "bytes")
        messages = [json.loads(line) for line in subscriber.until_messages(4)]
    assert [message.get("payload") for message in messages] == [payload, payload, "", None]
    assert messages[3]["payload_base64"] == "/wA="


def test_lines_from_a_plain_file(broker, name, tmp_path):
    url = broker.endpoint().url
    (tmp_path / "lines").write_text("".join(f"{number}\n" for number in range(5000)))
    with Subscriber(url, "-t", name, "-q", 1, "-C", 5000) as subscriber, open(tmp_path / "lines") as lines:
        command = [BINARY, "pub", "--url", url, "-t", name, "-q", "1", "-l"]
        assert subprocess.run(command, stdin=lines, timeout=PATIENCE, env=environment()).returncode == 0
        assert subscriber.until_messages(5000) == [str(number) for number in range(5000)]


def test_a_large_message(broker, name, tmp_path):
    url = broker.endpoint("ws").url
    (tmp_path / "large").write_text("x" * 900_000)
    with Subscriber(url, "-t", name, "-q", 1, "-C", 1) as subscriber:
        pub(url, "-t", name, "-q", 1, "-f", tmp_path / "large")
        assert len(subscriber.until_messages(1)[0]) == 900_000


# Properties and JSON.

def test_properties_arrive_and_are_printed(broker, name):
    url = broker.endpoint().url
    with Subscriber(url, "-t", name, "--json", "-C", 1, "--subscription-id", 7) as subscriber:
        pub(url, "-t", name, "-m", "x", "--content-type", "text/plain", "--response-topic", "answers",
            "--correlation-data", "42", "--payload-format-utf8", "--expiry", 60,
            "--user-property", "b=1", "--user-property", "a=2", "--user-property", "b=3")
        message = json.loads(subscriber.until_messages(1)[0])
    properties = message["properties"]
    assert properties.pop("message_expiry_seconds") in (59, 60)
    assert properties == {
        "payload_format": "utf8", "content_type": "text/plain", "response_topic": "answers", "correlation_data": "42",
        "subscription_identifiers": [7],
        "user_properties": [{"name": "b", "value": "1"}, {"name": "a", "value": "2"}, {"name": "b", "value": "3"}],
    }


def test_json_of_publishing(broker, name):
    done = pub(broker.endpoint().url, "-t", name, "-m", "12345", "-q", 1, "--repeat", 2, "--json", "--verbose")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result.pop("ms") >= 0 for result in results] == [True, True]
    assert results == [{
        "topic": name, "qos": 1, "reason_code": 16, "reason": "no matching subscribers", "bytes": 5,
    }] * 2
    assert "no matching subscribers" in done.stderr


# Retained messages.

def test_retained_messages(broker, name):
    url = broker.endpoint().url
    pub(url, "-t", f"{name}/1", "-m", "kept", "-r", "-q", 1)
    assert sub(url, "-t", f"{name}/#", "-C", 1).stdout == "kept\n"
    assert sub(url, "-t", f"{name}/#", "-C", 1, "-N").stdout == "kept"
    with Subscriber(url, "-t", f"{name}/#", "--no-retained", "-C", 1) as fresh, \
            Subscriber(url, "-t", f"{name}/#", "--retained-only") as old:
        pub(url, "-t", f"{name}/1", "-m", "new", "-q", 1)
        assert fresh.until_messages(1) == ["new"]
        assert old.until_messages(1) == ["kept"]
    pub(url, "-t", f"{name}/1", "-n", "-r", "-q", 1)
    assert sub(url, "-t", f"{name}/#", "-W", 0.3).stdout == ""


def test_no_retained_in_3_1_1(broker, name):
    url = broker.endpoint().url
    pub(url, "-t", name, "-m", "kept", "-r", "-q", 1)
    with Subscriber(url, "-t", name, "--no-retained", "-V", "3.1.1", "-C", 1) as subscriber:
        pub(url, "-t", name, "-m", "new", "-q", 1)
        assert subscriber.until_messages(1) == ["new"]
    pub(url, "-t", name, "-n", "-r", "-q", 1)


# Ends.

@pytest.mark.parametrize("number, published", [(signal.SIGKILL, True), (signal.SIGTERM, False), (signal.SIGINT, False)])
def test_the_will_is_for_the_unexpected_end_alone(broker, name, number, published):
    url = broker.endpoint().url
    with Subscriber(url, "-t", f"{name}/#", "-v") as witness:
        with Subscriber(url, "-t", "x", "--will-topic", f"{name}/will", "--will-payload", "gone") as victim:
            victim.process.send_signal(number)
            status = victim.wait()
        pub(url, "-t", f"{name}/end", "-m", "end", "-q", 1)
        if published:
            witness.until(lambda _: f"{name}/will gone" in witness.messages, "the will")
        else:
            assert witness.until_messages(1) == [f"{name}/end end"]
            assert status == 0


def test_a_signal_brings_the_summary(broker, name):
    url = broker.endpoint().url
    with Subscriber(url, "-t", name) as subscriber:
        pub(url, "-t", name, "-m", "12345")
        subscriber.until_messages(1)
        subscriber.process.send_signal(signal.SIGINT)
        assert subscriber.wait() == 0
        subscriber.until(lambda lines: "1 messages received (5 bytes)" in lines, "the summary")


def test_too_few_messages_are_a_failure(broker, name):
    done = sub(broker.endpoint().url, "-t", name, "-C", 2, "-W", 0.2, status=1)
    assert done.stderr == "apus: 0 of 2 messages came in time\n"


def test_messages_beyond_the_count_stay_with_the_broker(broker, name):
    url = broker.endpoint().url
    session = ["-t", name, "-q", 1, "-i", name, "--no-clean-start", "--session-expiry", 60]
    with Subscriber(url, *session):
        pass
    pub(url, "-t", name, "-q", 1, "-l", stdin="1\n2\n3\n4\n5\n")
    assert sub(url, *session, "-C", 2).stdout == "1\n2\n"
    assert sub(url, *session, "-C", 3).stdout == "3\n4\n5\n"


def test_a_reader_that_goes_is_no_failure(broker, name):
    url = broker.endpoint().url
    reading = subprocess.Popen([BINARY, "sub", "--url", url, "-t", name, "--verbose"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment())
    for line in reading.stderr:
        if line.startswith("< SUBACK"):
            break
    reading.stdout.close()
    pub(url, "-t", name, "-m", "x")
    reading.stderr.read()
    assert reading.wait(PATIENCE) == 0


def test_statistics(broker, name):
    url = broker.endpoint().url
    with Subscriber(url, "-t", name, "--stats", "--json") as subscriber:
        pub(url, "-t", name, "-m", "12345", "-q", 1, "--repeat", 10)
        subscriber.until(lambda _: any(json.loads(line)["messages"] == 10 for line in subscriber.messages), "the count")


def test_shared_subscriptions_share(broker, name):
    url, filter = broker.endpoint().url, f"$share/group/{name}"
    with Subscriber(url, "-t", filter, "-q", 1) as one, Subscriber(url, "-t", filter, "-q", 1) as two:
        pub(url, "-t", name, "-q", 1, "-m", "x", "--repeat", 100)
        one.until(lambda _: len(one.messages) + len(two.messages) >= 100, "all messages")
        assert len(one.messages) + len(two.messages) == 100
        assert len(one.messages) > 0 and len(two.messages) > 0


# Mistakes and failures.

@pytest.mark.parametrize("arguments", [
    ["pub"], ["pub", "-t", "x"], ["pub", "-t", "x", "-m", "x", "-n"], ["pub", "-t", "a/#", "-m", "x"],
    ["pub", "-t", "x", "-m", "x", "--nonsense"], ["pub", "-t", "x", "-m", "x", "-q", "3"],
    ["sub"], ["sub", "-t", "a/#/b"], ["sub", "-t", "x", "--url", "http://x"], ["nonsense"],
], ids=" ".join)
def test_usage_errors_end_with_2(arguments):
    done = run([BINARY, *arguments], check=False)
    assert done.returncode == 2
    assert "Usage: apus" in done.stderr and done.stdout == ""


def refused_port():
    """A port on which nothing listens: bound, and not given away until the test has used it."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, f"mqtt://127.0.0.1:{held.getsockname()[1]}"


def test_no_broker_is_a_failure_to_connect():
    held, url = refused_port()
    with held:
        done = pub(url, "-t", "x", "-m", "x", status=3)
        assert "Connection refused" in done.stderr and url in done.stderr
        assert pub(url, "-t", "x", "-m", "x", "--quiet", status=3).stderr == ""


def test_a_silent_broker_is_a_failure_to_connect():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        assert "in time" in pub(url, "-t", "x", "-m", "x", "--timeout", 0.3, status=3).stderr
        assert time.monotonic() - started < PATIENCE / 2


def test_interrupted_while_it_tries_to_connect():
    held, url = refused_port()
    with held, Background([BINARY, "sub", "--url", url, "-t", "x", "--reconnect"]) as trying:
        trying.until(lambda lines: any("next attempt" in line for line in lines), "an attempt")
        trying.process.send_signal(signal.SIGINT)
        assert trying.process.wait(PATIENCE) in (0, -signal.SIGINT)


# Restart of the broker.

def restarted(port):
    return Apus(listen=[f"mqtt://127.0.0.1:{port}"])


def test_a_subscriber_comes_back_after_a_restart(name):
    with Apus() as first:
        endpoint = first.endpoint()
        subscriber = Subscriber(endpoint.url, "-t", name, "--reconnect", "-C", 2)
        pub(endpoint.url, "-t", name, "-m", "before")
        subscriber.until_messages(1)
    with subscriber:
        subscriber.until(lambda lines: any("next attempt" in line for line in lines), "a loss")
        with restarted(endpoint.port):
            subscriber.until(lambda lines: sum(line.startswith("< SUBACK") for line in lines) == 2, "a second SUBACK")
            pub(endpoint.url, "-t", name, "-m", "after")
            assert subscriber.until_messages(2) == ["before", "after"]
            assert subscriber.wait() == 0


def test_a_publisher_goes_on_after_a_restart(name):
    with Apus() as first:
        endpoint = first.endpoint()
        publisher = subprocess.Popen(
            [BINARY, "pub", "--url", endpoint.url, "-t", name, "-q", "1", "-l", "--reconnect", "--json"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )
        publisher.stdin.write("before\n")
        publisher.stdin.flush()
        assert json.loads(publisher.stdout.readline())["reason_code"] in (0, 16)
    assert "next attempt" in publisher.stderr.readline()
    with restarted(endpoint.port):
        publisher.stdin.write("after\n")
        output, _ = publisher.communicate(timeout=PATIENCE)
        assert json.loads(output)["reason_code"] in (0, 16)
        assert publisher.returncode == 0


# Who may.

@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A broker with the users alice, who may use `allowed/#`, and bob, who may read only."""
    folder = tmp_path_factory.mktemp("guarded")
    for user in ("alice", "bob"):
        run([BINARY, "password", "set", folder / "passwords", user], stdin="geheim: ö\n")
    (folder / "acl").write_text("user alice\ntopic readwrite allowed/#\n\nuser bob\ntopic read allowed/#\n")
    (folder / "apus.yaml").write_text(
        f"authentication:\n    anonymous: never\n    passwordFile: {folder / 'passwords'}\n"
        f"authorization:\n    aclFile: {folder / 'acl'}\n"
    )
    (folder / "password").write_text("geheim: ö\n")
    with Apus("--config", folder / "apus.yaml", dev=False) as running:
        yield running, folder
        assert "geheim" not in running.logged()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_password_is_explained(guarded, version):
    done = pub(guarded[0].endpoint().url, "-t", "allowed/x", "-m", "x", "-u", "alice", "-P", "wrong-secret",
               "--verbose", "-V", version, status=1)
    assert "the broker refused the connection: " in done.stderr
    assert any(words in done.stderr for words in ["bad user name or password (0x86)", "not authorised (0x87)"])
    assert "wrong-secret" not in done.stderr


@pytest.mark.parametrize("scram", [[], ["--scram"]], ids=["plain", "scram"])
def test_the_password_comes_from_the_environment_or_a_file(guarded, scram):
    broker, folder = guarded
    url = broker.endpoint().url
    common = ["-t", "allowed/x", "-m", "x", "-q", 1, "-u", "alice", "--verbose", *scram]
    for more, settings in [([], {"APUS_PASSWORD": "geheim: ö"}), (["--password-file", folder / "password"], None)]:
        assert "geheim" not in pub(url, *common, *more, settings=settings).stderr


def test_scram_with_a_wrong_password(guarded):
    arguments = ["-t", "allowed/x", "-m", "x", "-u", "alice", "--scram", "-P", "wrong"]
    assert "refused" in pub(guarded[0].endpoint().url, *arguments, status=1).stderr


def test_what_is_not_allowed_is_explained(guarded):
    broker, folder = guarded
    url = broker.endpoint().url
    bob = ["-u", "bob", "--password-file", folder / "password"]
    done = pub(url, "-t", "allowed/x", "-m", "x", "-q", 1, *bob, status=1)
    assert "the broker refused the message to allowed/x: not authorised (0x87)" in done.stderr
    done = sub(url, "-t", "secret/#", *bob, status=1)
    assert "the broker refused the subscription to secret/#: not authorised (0x87)" in done.stderr
    # Of two filters one is enough to go on.
    done = sub(url, "-t", "secret/#", "-t", "allowed/#", "-W", 0.2, *bob)
    assert "secret/#: not authorised" in done.stderr


# TLS.

@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("server")
    (folder / "apus.yaml").write_text(
        f"tls:\n    certificate: {certificate}\n    key: {key}\n    clientCertificate: optional\n"
        f"    clientCA: {authority.certificate}\n"
    )
    with Apus("--config", folder / "apus.yaml", listen=["mqtts://127.0.0.1:0", "wss://127.0.0.1:0"]) as running:
        yield running, authority


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
def test_a_message_goes_round_over_tls(secure, name, scheme):
    broker, authority = secure
    url, trust = broker.endpoint(scheme).url, ["--ca-file", str(authority.certificate)]
    certificate, key = authority.issue(f"client-{scheme}", common_name="device")
    with Subscriber(url, "-t", name, *trust, "-C", 2) as subscriber:
        pub(url, "-t", name, "-m", "trusted", "-q", 1, *trust, "--cert", certificate, "--key", key)
        pub(url, "-t", name, "-m", "unverified", "-q", 1, "--insecure")
        assert subscriber.until_messages(2) == ["trusted", "unverified"]


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
def test_a_certificate_of_an_unknown_authority_is_refused(secure, scheme):
    done = pub(secure[0].endpoint(scheme).url, "-t", "x", "-m", "x", status=3)
    assert "TLS" in done.stderr and "certificate" in done.stderr
