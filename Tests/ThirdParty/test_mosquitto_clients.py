"""mosquitto_pub and mosquitto_sub of Debian: each version, each QoS, retained messages, wills.

v3 MQTT-7.0.0-2
"""

import signal

import pytest

from apus import Background, run

VERSIONS = ["mqttv31", "mqttv311", "mqttv5"]


def pub(broker, *arguments, **options):
    return run(["mosquitto_pub", "-p", broker.port, *arguments], **options)


def sub(broker, *arguments):
    """A subscriber that prints a line when its SUBACK has come."""
    client = Background(["stdbuf", "-oL", "mosquitto_sub", "-d", "-p", broker.port, *arguments])
    client.until(lambda lines: any(line.startswith("Subscribed") for line in lines), "no SUBACK")
    return client


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_arrives(broker, name, version, qos):
    with sub(broker, "-V", version, "-q", qos, "-t", name, "-F", "got %t %q %p") as subscriber:
        pub(broker, "-V", version, "-q", qos, "-t", name, "-m", "hello")
        subscriber.until(lambda lines: f"got {name} {qos} hello" in lines, "the message")


@pytest.mark.parametrize("publisher", VERSIONS)
@pytest.mark.parametrize("subscriber", VERSIONS)
def test_versions_understand_each_other(broker, name, publisher, subscriber):
    with sub(broker, "-V", subscriber, "-q", 1, "-t", f"{name}/#", "-F", "got %t %p") as receiver:
        pub(broker, "-V", publisher, "-q", 1, "-t", f"{name}/a", "-m", "x")
        receiver.until(lambda lines: f"got {name}/a x" in lines, "the message")


@pytest.mark.parametrize("version", VERSIONS)
def test_retained_messages_come_later_and_can_be_removed(broker, name, version):
    pub(broker, "-V", version, "-q", 1, "-r", "-t", name, "-m", "kept")
    done = run(["mosquitto_sub", "-p", broker.port, "-V", version, "-t", name, "-C", 1, "-F", "%r %p"])
    assert done.stdout == "1 kept\n"
    pub(broker, "-V", version, "-q", 1, "-r", "-n", "-t", name)
    with sub(broker, "-V", version, "-t", name, "-F", "got %r %p") as subscriber:
        pub(broker, "-V", version, "-q", 1, "-t", name, "-m", "fresh")
        subscriber.until(lambda lines: any(line.startswith("got") for line in lines), "the message")
        assert [line for line in subscriber.lines if line.startswith("got")] == ["got 0 fresh"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_is_published_when_its_client_dies(broker, name, version):
    with sub(broker, "-V", version, "-t", f"{name}/will", "-F", "got %p") as witness:
        will = ["--will-topic", f"{name}/will", "--will-payload", "gone", "--will-qos", 1]
        with sub(broker, "-V", version, "-t", name, *will) as dying:
            dying.process.send_signal(signal.SIGKILL)
            witness.until(lambda lines: "got gone" in lines, "the will")


def test_many_messages_of_one_publisher_keep_their_order(broker, name):
    lines = [f"line {number}" for number in range(500)]
    with sub(broker, "-q", 1, "-t", name, "-F", "got %p") as subscriber:
        pub(broker, "-q", 1, "-t", name, "-l", stdin="\n".join(lines) + "\n")
        subscriber.until(lambda came: f"got {lines[-1]}" in came, "the last line")
        assert [line for line in subscriber.lines if line.startswith("got")] == [f"got {line}" for line in lines]


def test_messages_wait_for_a_subscriber_that_is_away(broker, name):
    session = ["-V", "mqttv311", "-c", "-i", name, "-q", 1, "-t", name]
    run(["mosquitto_sub", "-p", broker.port, *session, "-E"])
    for number in range(3):
        pub(broker, "-q", 1, "-t", name, "-m", number)
    done = run(["mosquitto_sub", "-p", broker.port, *session, "-C", 3])
    assert done.stdout.split() == ["0", "1", "2"]


def test_properties_of_5_0_arrive(broker, name):
    with sub(broker, "-V", "mqttv5", "-t", name, "-F", "got %C %R %D %P %p") as subscriber:
        pub(broker, "-V", "mqttv5", "-t", name, "-m", "x", "-D", "publish", "content-type", "text/plain",
            "-D", "publish", "response-topic", "answers", "-D", "publish", "correlation-data", "c1",
            "-D", "publish", "user-property", "key", "value")
        subscriber.until(lambda lines: "got text/plain answers c1 key:value x" in lines, "the properties")


def test_request_and_response(broker, name):
    with sub(broker, "-V", "mqttv5", "-t", f"{name}/ask", "-F", "got %R %p") as answering:
        asking = Background(["mosquitto_rr", "-p", str(broker.port), "-V", "mqttv5", "-t", f"{name}/ask",
                             "-e", f"{name}/answer", "-m", "how much?"])
        with asking:
            answering.until(lambda lines: f"got {name}/answer how much?" in lines, "the request")
            pub(broker, "-V", "mqttv5", "-t", f"{name}/answer", "-m", "42")
            asking.until(lambda lines: "42" in lines, "the response")


def test_a_file_of_binary_bytes_arrives_unchanged(broker, name, tmp_path):
    content = bytes(range(256)) * 100
    (tmp_path / "sent").write_bytes(content)
    with sub(broker, "-t", name, "-F", "got %x") as subscriber:
        pub(broker, "-t", name, "-f", tmp_path / "sent")
        subscriber.until(lambda lines: any(line.startswith("got") for line in lines), "the file")
        (line,) = [line for line in subscriber.lines if line.startswith("got")]
        assert bytes.fromhex(line.removeprefix("got ")) == content


def test_statistics_are_published(broker):
    done = run(["mosquitto_sub", "-p", broker.port, "-t", "$SYS/broker/version", "-C", 1, "-W", 15])
    assert "apus" in done.stdout
