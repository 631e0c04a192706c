"""`apus bench` against the real broker, and against one that loses, repeats, swaps and damages messages."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from apus import BINARY, PATIENCE, Apus, environment, run
from authority import Authority
from generator import bench, flawless, url


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    authority = Authority(folder)
    authority.issue("server")
    with Apus("--set", f"tls.certificate={folder}/server.pem", "--set", f"tls.key={folder}/server.key",
              listen=[f"{scheme}://127.0.0.1:0" for scheme in ["mqtt", "mqtts", "ws", "wss"]]) as running:
        running.authority = authority
        running.folder = folder
        yield running


# What each workload must deliver: publishers, subscribers, messages of each.
TRAFFIC = [
    ("pairs", ["--publishers", 3, "--count", 200], 600),
    ("fan-in", ["--publishers", 5, "--subscribers", 2, "--count", 60], 600),
    ("fan-in", ["--publishers", 5, "--subscribers", 3, "--share", "group", "--count", 60], 300),
    ("fan-out", ["--subscribers", 20, "--count", 30], 600),
    ("fan-out", ["--publishers", 2, "--subscribers", 5, "--count", 30], 300),
    ("wildcard", ["--publishers", 3, "--subscribers", 6, "--filters", 60, "--count", 100], 300),
    ("retained", ["--publishers", 3, "--subscribers", 2, "--count", 100], 200),
    # More than one connection's buffer takes at once.
    ("retained", ["--publishers", 1, "--subscribers", 1, "--count", 2000, "--size", 1000], 2000),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("workload, options, deliveries", TRAFFIC)
def test_every_message_is_accounted_for(broker, workload, options, deliveries, version, qos, threads):
    report = flawless(bench(url(broker), workload, *options, "-q", qos, "-V", version, "--threads", threads))
    assert report["messages"]["delivered"] == deliveries
    assert report["plan"]["qos"] == qos
    if qos:
        assert report["messages"]["acknowledged"] == report["messages"]["published"]
    part = report["parts"]["get" if workload == "retained" else "messages"]
    assert part["count"] == deliveries and part["seconds"] > 0 and part["generator_cpu_seconds"] > 0
    if workload != "retained":
        latency = report["latency_microseconds"]
        assert latency["count"] == deliveries
        assert 0 < latency["min"] <= latency["p50"] <= latency["p99"] <= latency["p9999"] <= latency["max"]


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("version, group", [("3.1.1", 1), ("5", 3)])
def test_what_was_stored_is_drained(broker, version, group, qos):
    report = flawless(bench(url(broker), "offline", "--subscribers", 10, "--sessions-per-topic", group, "--count", 50,
                            "-q", qos, "-V", version))
    assert report["connections"]["sessions_present"] == 10
    assert report["parts"]["store"]["count"] == 50 * -(-10 // group)
    assert report["parts"]["drain"]["count"] == 500


def test_nothing_is_left_behind(broker):
    topic = ["--topic", "bench/left/{n}", "--client-id", "left-{role}{n}"]
    flawless(bench(url(broker), "offline", "--subscribers", 3, "--count", 5, *topic))
    again = flawless(bench(url(broker), "offline", "--subscribers", 3, "--count", 5, *topic))
    assert again["connections"]["sessions_before"] == 0 and again["connections"]["sessions_present"] == 3
    flawless(bench(url(broker), "retained", "--count", 20, *topic))
    done = subprocess.run([BINARY, "sub", "--url", url(broker), "-t", "bench/left/#", "--retained-only", "-C", "1", "-W",
                           "1"], capture_output=True, timeout=PATIENCE, env=environment())
    assert done.stdout == b""


def test_stored_messages_outlive_the_broker(tmp_path):
    shape = ["--subscribers", 10, "--count", 30, "--state", tmp_path / "state"]
    broker = Apus(data=tmp_path / "data")
    try:
        report = flawless(bench(url(broker), "offline", "--phase", "store", *shape))
    finally:
        broker.kill()
    assert report["parts"]["store"]["count"] == 300 and "drain" not in report["parts"]
    with Apus(data=tmp_path / "data") as again:
        report = flawless(bench(url(again), "offline", "--phase", "drain", *shape))
        assert report["connections"]["sessions_present"] == 10
        assert report["parts"]["drain"]["count"] == 300 and "store" not in report["parts"]
        # There is nothing left to drain.
        status, _, said = bench(url(again), "offline", "--phase", "drain", *shape)
        assert status == 1 and "--phase store writes it" in said


def test_stored_messages_that_are_gone_are_missed(tmp_path):
    shape = ["--subscribers", 10, "--count", 30, "--state", tmp_path / "state"]
    with Apus() as broker:
        flawless(bench(url(broker), "offline", "--phase", "store", *shape))
    with Apus() as other:
        status, _, said = bench(url(other), "offline", "--phase", "drain", *shape, "--size", 65)
        assert status == 1 and "not of a store phase with these options" in said
        status, report, _ = bench(url(other), "offline", "--phase", "drain", *shape, "--timeout", 1)
    assert status == 1 and report["messages"]["lost"] == 300 and report["outcome"] == "stalled"


def test_idle_connections_come_from_many_addresses_and_each_gets_its_message(broker):
    report = flawless(bench(url(broker), "idle", "--subscribers", 300, "--seconds", 0.1, "--pid", broker.process.pid,
                            "--threads", 2))
    assert report["connections"]["connected"] >= 300 and report["messages"]["delivered"] == 300
    assert report["connect_latency_microseconds"]["count"] >= 300
    assert report["broker"]["resident_bytes"] > 1 << 20 and report["broker"]["idle_processors"] >= 0
    assert report["parts"]["connect"]["broker_cpu_seconds"] > 0


@pytest.mark.parametrize("options", [[], ["--rate", 2000], ["--filters", 2]])
def test_a_storm_connects_all_again_and_again(broker, options):
    status, report, said = bench(url(broker), "storm", "--subscribers", 100, "--rounds", 3, *options)
    assert status == 0, said
    assert report["connections"]["connected"] == 300
    assert set(report["parts"]) == {"connect", "connect_2", "connect_3"}
    assert report["connect_latency_microseconds"]["count"] == 300


@pytest.mark.parametrize("scheme", ["mqtts", "ws", "wss"])
@pytest.mark.parametrize("size", [16, 100_000])
def test_over_tls_and_websocket(broker, scheme, size):
    options = ["--publishers", 4, "--count", 20, "--size", size, "-q", 2]
    trust = ["--ca-file", broker.folder / "ca.pem"] if scheme in ["mqtts", "wss"] else []
    flawless(bench(url(broker, scheme), "pairs", *options, *trust))
    if trust:
        status, report, said = bench(url(broker, scheme), "pairs", *options)
        assert status == 1 and "certificate verify failed" in said
        assert not report["verified"]


@pytest.mark.parametrize("workload", ["pairs", "fan-in"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_rate_is_kept_and_lateness_told(broker, workload, threads):
    report = flawless(bench(url(broker), workload, "--publishers", 4, "--rate", 2000, "--count", 250, "-q", 1, "--threads",
                            threads))
    assert report["plan"]["loop"] == "open" and report["messages"]["delivered"] == 1000
    # 1,000 messages of 2,000 a second: the last is due after half a second, whatever the broker does.
    assert report["parts"]["messages"]["seconds"] > 0.49
    assert report["messages"]["greatest_lateness_microseconds"] >= 0


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("topic, filter", [("alone/{n}", "alone/+"), ("alone", "alone")])
def test_publishers_and_subscribers_alone_may_be_two_programs(broker, tmp_path, qos, topic, filter):
    payload = tmp_path / "payload"
    payload.write_bytes(b"\x00short")
    command = [BINARY, "bench", "subscribe", "--url", url(broker), "--topic", filter, "--subscribers", "2", "--count", "120",
               "-q", "2", "--interval", "0.1", "--json"]
    subscribers = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    # They have subscribed when both are connected.
    while ": 2 connected" not in subscribers.stderr.readline():
        assert subscribers.poll() is None
    sent = flawless(bench(url(broker), "publish", "--topic", topic, "--publishers", 3, "--count", 20, "-q", qos,
                          "--payload-file", payload))
    assert sent["messages"]["published"] == 60 and sent["messages"]["acknowledged"] == (60 if qos else 0)
    assert sent["parts"]["messages"]["count"] == 60 and sent["plan"]["payload_bytes"] == 6
    said, _ = subscribers.communicate(timeout=PATIENCE)
    received = json.loads(said)
    assert subscribers.returncode == 0 and received["outcome"] == "done" and received["verified"]
    assert received["messages"]["delivered"] == 120 and received["parts"]["messages"]["count"] == 120


def test_samples_tell_how_a_run_goes_on(broker):
    status, report, said = bench(url(broker), "pairs", "--rate", 1000, "--seconds", 1, "--interval", 0.2, "--pid",
                                 broker.process.pid)
    assert status == 0
    samples = report["samples"]
    assert len(samples) >= 4 and len(said.splitlines()) == len(samples)
    for former, later in zip(samples, samples[1:]):
        assert all(former[name] <= later[name] for name in ["seconds", "published", "delivered", "broker_cpu_seconds"])
    assert samples[-1]["connected"] == 100 and 0 < samples[-1]["published"] <= 1000
    assert " connected, " in said and "% of a processor" in said


def test_another_process_is_not_taken_for_the_broker(broker):
    for process, is_hinted in [(os.getpid(), True), (broker.process.pid, False)]:
        done = subprocess.run([BINARY, "bench", "pairs", "--url", url(broker), "--count", "100", "--pid", str(process)],
                              text=True, capture_output=True, timeout=PATIENCE, env=environment())
        assert done.returncode == 0 and ("is it the broker's?" in done.stderr) == is_hinted, done.stderr


def test_connections_may_be_begun_at_a_rate(broker):
    begun = time.monotonic()
    report = flawless(bench(url(broker), "pairs", "--publishers", 20, "--count", 1, "--connect-rate", 100))
    # The last of 20 is due 0.19 s after the first, on each side.
    assert time.monotonic() - begun > 0.38 and report["plan"]["connect_rate"] == 100


def set_password(file, user):
    run([BINARY, "password", "set", file, user], stdin="secret\n")


def test_user_names_are_templates(tmp_path):
    passwords = tmp_path / "passwords"
    for name in ["dev-s0", "dev-p0"]:
        set_password(passwords, name)
    with Apus("--set", f"authentication.passwordFile={passwords}", dev=False) as broker:
        options = ["--publishers", 1, "--count", 3, "--user", "dev-{role}{n}"]
        flawless(bench(url(broker), "pairs", *options, settings={"APUS_PASSWORD": "secret"}))
        status, _, said = bench(url(broker), "pairs", *options[2:], "--publishers", 2, settings={"APUS_PASSWORD": "secret"})
        assert status == 1 and "CONNECT refused" in said


def test_time_ends_a_run(broker):
    report = flawless(bench(url(broker), "pairs", "--publishers", 2, "--seconds", 0.3))
    assert report["messages"]["published"] > 0


def test_a_name_with_several_addresses_is_tried_for_all(broker):
    flawless(bench(f"mqtt://localhost:{broker.endpoint('mqtt').port}", "pairs", "--count", 5))


def test_over_a_unix_socket(tmp_path):
    with Apus(listen=["mqtt://127.0.0.1:0", f"unix:{tmp_path}/apus.sock"]) as broker:
        flawless(bench(f"unix:{broker.endpoint('unix').path}", "fan-out", "--subscribers", 10, "--count", 20, "-q", 1))


def test_the_report_for_people(broker):
    done = subprocess.run([BINARY, "bench", "pairs", "--url", url(broker), "--count", "50", "--label", "first try", "--pid",
                           str(broker.process.pid)], text=True, capture_output=True, timeout=PATIENCE, env=environment())
    assert done.returncode == 0
    assert done.stdout.startswith("first try, pairs, MQTT 5.0, QoS 0")
    assert "2,500 of 2,500 deliveries, none lost, none twice, all in order" in done.stdout
    assert "per million" in done.stdout and "p99" in done.stdout and "resident" in done.stdout
    assert done.stderr == ""


def test_progress_is_shown_on_a_terminal(broker):
    process, terminal = pty.fork()
    if process == 0:
        os.execve(BINARY, [BINARY, "bench", "pairs", "--url", url(broker), "--seconds", "1"], environment())
    shown, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert b"delivered" in shown and b"\r\x1b[K" in shown


# What a broker that breaks its promises does.

def packets(data):
    """The whole packets at the beginning of the bytes, and the rest."""
    found = []
    while True:
        length, shift, at = 0, 0, 1
        while at < len(data):
            byte = data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        else:
            return found, data
        if len(data) < 2 or len(data) < at + length:
            return found, data
        found.append(data[:at + length])
        data = data[at + length:]


class Saboteur:
    """Stands between clients and a broker; does something to the n-th PUBLISH to the clients, counted over all."""

    def __init__(self, port, deed, at=100):
        self.port, self.deed, self.at = port, deed, at
        self.seen = 0
        self.lock = threading.Lock()
        self.held = {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"mqtt://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self._copy, args=(client, broker), daemon=True).start()
            threading.Thread(target=self._sabotage, args=(broker, client), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _sabotage(self, broker, client):
        rest, held = b"", None
        try:
            while data := broker.recv(65536):
                found, rest = packets(rest + data)
                out = []
                for packet in found:
                    if packet[0] >> 4 == 3:
                        with self.lock:
                            self.seen += 1
                            mine = self.seen == self.at
                        if mine and self.deed == "swap":
                            held = packet
                            continue
                        out += self._treated(packet) if mine else [packet]
                        if held:
                            out.append(held)
                            held = None
                    else:
                        out.append(packet)
                client.sendall(b"".join(out))
                if self.deed == "cut" and self.seen >= self.at:
                    client.close()
                    return
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _treated(self, packet):
        if self.deed == "drop":
            return []
        if self.deed == "repeat":
            return [packet, packet]
        if self.deed == "damage":
            return [packet[:-1] + bytes([packet[-1] ^ 1])]
        return [packet]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


@pytest.mark.parametrize("deed, violation", [
    ("drop", "lost"), ("repeat", "repeated"), ("swap", "misordered"), ("damage", "damaged"),
])
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("options", [["pairs", "--publishers", 3], ["fan-out", "--subscribers", 3, "--threads", 2]],
                         ids=["pairs", "fan-out"])
def test_one_message_treated_wrongly_is_found(broker, deed, violation, qos, options):
    workload, *rest = options
    with Saboteur(broker.endpoint("mqtt").port, deed) as middle:
        status, report, said = bench(middle.url, workload, *rest, "--count", 100, "-q", qos, "--timeout", 3)
    assert status == 1
    assert not report["verified"]
    assert report["violations"][violation] == 1, f"{report} {said}"
    if deed in ["repeat", "swap"]:
        assert len(report["examples"]) == 1
    if deed == "drop" or deed == "damage":
        assert report["messages"]["lost"] == 1


def test_a_lost_message_of_qos_0_may_be_allowed(broker):
    with Saboteur(broker.endpoint("mqtt").port, "drop") as middle:
        status, report, _ = bench(middle.url, "pairs", "--publishers", 3, "--count", 100, "--allow-loss")
    assert status == 0
    assert report["messages"]["lost"] == 1


def test_a_connection_that_is_cut_ends_the_run(broker):
    with Saboteur(broker.endpoint("mqtt").port, "cut") as middle:
        status, report, said = bench(middle.url, "pairs", "--publishers", 3, "--count", 1000, "-q", 1)
    assert status == 1
    assert report["outcome"] == "disconnected" and "a connection was lost" in said
    assert report["problems"]


# What a broker refuses.

def test_refusals_are_told_with_their_reasons(tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("topic read bench/#\ntopic write bench/other\n")
    with Apus("--set", f"authorization.aclFile={rights}", dev=False) as broker:
        status, report, said = bench(url(broker), "pairs", "--publishers", 2, "--count", 5, "-q", 1, "--timeout", 2)
        assert status == 1
        assert report["messages"]["refused"] == 10
        assert "message refused: not authorised (0x87)" in said
        # Each was refused for a topic of its own, by the same words.
        assert len(report["problems"]) == 1 and report["problems"][0]["count"] == 10
    with Apus("--set", "limits.connections=5") as broker:
        status, report, said = bench(url(broker), "idle", "--subscribers", 20, "--seconds", 0)
        assert status == 1
        assert report["connections"]["stopped_by"] == "broker"
        assert "the broker takes no more" in said


def test_nobody_listens():
    status, report, said = bench("mqtt://127.0.0.1:1", "pairs", "--count", 1)
    assert status == 1
    assert not report["verified"] and "Connection refused" in said
    assert "no connection could be made" in said and "stopped_by" not in report["connections"]


@pytest.mark.parametrize("scheme", ["mqtt", "ws"])
def test_a_refused_login_is_told_with_its_reason(scheme, tmp_path):
    set_password(tmp_path / "passwords", "somebody")
    settings = ["--set", f"authentication.passwordFile={tmp_path}/passwords"]
    with Apus(*settings, listen=[f"{scheme}://127.0.0.1:0"], dev=False) as broker:
        status, report, said = bench(url(broker, scheme), "pairs", "--publishers", 3, "--count", 1, "--user", "somebody",
                                     settings={"APUS_PASSWORD": "wrong"})
    assert status == 1
    assert report["problems"] and all("CONNECT refused: " in problem["what"] for problem in report["problems"])
    assert "CONNECT refused: bad user name or password (0x86)" in said


@pytest.mark.parametrize("scheme, other", [("mqtt", "ws"), ("ws", "mqtt"), ("mqtts", "mqtt")])
def test_the_wrong_port_is_suspected(broker, scheme, other):
    place = f"{scheme}://127.0.0.1:{broker.endpoint(other).port}"
    status, report, said = bench(place, "pairs", "--publishers", 3, "--count", 1, "--timeout", 2)
    assert status == 1 and report["connections"]["connected"] == 0
    assert "is it the right port for mqtt://, mqtts://, ws:// or wss://?" in said


def test_the_open_file_limit_is_named(broker):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

    command = [BINARY, "bench", "idle", "--url", url(broker), "--subscribers", "500", "--seconds", "0", "--json"]
    done = subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, env=environment(), preexec_fn=limit)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["connections"]["stopped_by"] == "open_files" and report["connections"]["open_file_limit"] == 200
    assert 100 < report["messages"]["delivered"] < 200
    assert "ulimit -n" in done.stderr


def test_persistent_sessions_are_found_again_after_a_storm(broker):
    options = ["--subscribers", 50, "--filters", 2, "--persistent", "--client-id", "lasting-{role}{n}"]
    report = flawless_storm(bench(url(broker), "storm", *options, "--rounds", 3, "--keep"))
    assert report["connections"]["sessions_present"] == 100
    # They are still there, and then are not.
    flawless_storm(bench(url(broker), "storm", *options, "--rounds", 2))
    report = flawless_storm(bench(url(broker), "storm", *options))
    assert report["connections"]["connected"] == 50 and report["connections"]["sessions_present"] == 0


def flawless_storm(outcome):
    status, report, said = outcome
    assert status == 0 and report["verified"], f"{report} {said}"
    return report


@pytest.mark.parametrize("command, words", [
    (["pears"], "pears"),
    (["pairs", "--size", "15"], "16 to 1048576 bytes"),
    (["idle", "--rate", "5"], "--rate is for"),
    (["offline", "-q", "0"], "QoS 0 is not stored"),
    (["offline", "--phase", "drain"], "--state"),
    (["offline", "--phase", "drain", "--state", "/nowhere/state"], "--phase store writes it"),
    (["pairs", "--persistent"], "--persistent is for storm"),
    (["storm", "--keep"], "--keep needs --persistent"),
    (["pairs", "--topic", "x"], "{n}"),
    (["pairs", "--client-id", "{n}"], "{role}"),
    (["pairs", "--client-id", "{n}{role}{number}"], "but not {number}"),
    (["pairs", "--topic", "x/{n}/{role}"], "but not {role}"),
    (["publish", "--topic", "x/+"], "no wildcards"),
    (["publish", "--payload-file", "/nowhere/file"], "/nowhere/file"),
    (["pairs", "--payload-file", "/dev/null"], "--payload-file is for publish"),
    (["publish", "--subscribers", "3"], "--subscribers is for"),
    (["subscribe", "--rate", "3"], "--rate is for"),
    (["pairs", "--seconds", "0"], "more than 0 seconds"),
    (["pairs", "--timeout", "0"], "more than 0 seconds"),
    (["pairs", "--interval", "0.01"], "0.1 seconds or more"),
    (["pairs", "--connect-rate", "0"], "more than 0"),
    (["pairs", "--mode", "signature"], "--instance"),
    (["pairs", "--instance", "x"], "--mode"),
    (["fan-out", "--share", "g"], "--share is for fan-in"),
    (["pairs", "--publishers", "3", "--subscribers", "4"], "the same"),
    (["pairs", "--pid", "999999999"], "no process"),
])
def test_what_cannot_be_run_is_said_at_once(command, words):
    done = subprocess.run([BINARY, "bench", *command], text=True, capture_output=True, timeout=PATIENCE, env=environment())
    assert done.returncode in (1, 2)
    assert words in done.stderr, done.stderr
