"""How `apus bench` ends before its time: interrupted, or because the broker has gone."""

import json
import re
import signal
import subprocess

import pytest

from apus import BINARY, PATIENCE, Apus, environment
from generator import bench, url


class Run:
    """A run in the background; each sample is a line on standard error."""

    def __init__(self, broker, workload, *options):
        self.process = subprocess.Popen(
            [BINARY, "bench", workload, "--url", url(broker), "--json", "--interval", "0.1", *map(str, options)],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )
        self.said = ""

    def until(self, pattern):
        """Waits for a line in which this is found."""
        while not re.search(pattern, line := self.process.stderr.readline()):
            assert line, f"it ended before it said {pattern}: {self.said}"
            self.said += line

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self):
        """Its exit status, report and words."""
        text, said = self.process.communicate(timeout=2 * PATIENCE)
        return self.process.returncode, json.loads(text), self.said + said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture(scope="module")
def broker():
    with Apus() as running:
        yield running


NAMES = ["--topic", "ends/{n}", "--client-id", "ends-{role}{n}"]

# Long runs, what is seen when they are in the middle, and what of it must have been verified.
LONG = [
    ("pairs", ["--seconds", 1000, "-q", 1], " 100 connected, [1-9]"),
    ("fan-out", ["--subscribers", 10, "--seconds", 1000], " 11 connected, [1-9]"),
    ("retained", ["--count", 50_000_000, "-q", 1], " 4 connected, [1-9]"),
    ("offline", ["--subscribers", 10, "--count", 50_000_000], " 14 connected, [1-9]"),
    ("idle", ["--subscribers", 20, "--seconds", 1000], "20 connected, "),
    ("storm", ["--subscribers", 20, "--rounds", 1_000_000, "--persistent"], " connected, "),
    ("publish", ["--publishers", 3, "--seconds", 1000], " 3 connected, [1-9]"),
    ("subscribe", ["--subscribers", 3], "3 connected, "),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workload, options, seen", LONG, ids=[workload for workload, *_ in LONG])
def test_ctrl_c_begins_nothing_more_and_verifies_what_had_begun(broker, workload, options, seen, threads):
    with Run(broker, workload, *options, *NAMES, "--threads", threads) as run:
        run.until(seen)
        run.interrupt()
        status, report, said = run.end()
    assert status == 0 and report["verified"] and report["outcome"] == "interrupted", said
    assert report["messages"]["lost"] == 0 and report["violations"] == {} and "traces_left" not in report["connections"]
    if workload in ["pairs", "fan-out", "publish"]:
        assert report["messages"]["published"] > 0
    # What it made there is gone.
    if workload in ["offline", "storm"]:
        status, report, _ = bench(url(broker), "offline", "--subscribers", 20, "--count", 1, *NAMES)
        assert status == 0 and report["connections"]["sessions_before"] == 0
    if workload == "retained":
        done = subprocess.run([BINARY, "sub", "--url", url(broker), "-t", "ends/#", "--retained-only", "-C", "1", "-W", "1"],
                              capture_output=True, timeout=PATIENCE, env=environment())
        assert done.stdout == b""


@pytest.mark.parametrize("phase", ["connecting", "draining"])
def test_ctrl_c_waits_for_what_connected_sessions_still_get(broker, phase):
    # So slowly that the interruption comes before all are there.
    rate, count = {"connecting": (["--connect-rate", 20], 200), "draining": ([], 2000)}[phase]
    with Run(broker, "offline", "--subscribers", 40, "--count", count, *rate, *NAMES) as run:
        run.until(r" [1-9]\d connected, " if phase == "connecting" else " [1-9][^ ]* delivered/s")
        run.interrupt()
        status, report, said = run.end()
    assert status == 0 and report["verified"] and report["messages"]["lost"] == 0, said


def test_a_second_ctrl_c_waits_for_nothing():
    with Apus() as broker, Run(broker, "pairs", "--seconds", 1000, "-q", 1, "--timeout", 1000) as run:
        run.until(" 100 connected, [1-9]")
        broker.process.send_signal(signal.SIGSTOP)
        try:
            run.interrupt()
            # What is on its way does not come any more.
            run.until(" 0 published/s, 0 delivered/s")
            run.interrupt()
            status, report, said = run.end()
        finally:
            broker.process.send_signal(signal.SIGCONT)
    assert status == 1 and not report["verified"] and report["outcome"] == "abandoned"
    assert "interrupted twice" in said


@pytest.mark.parametrize("workload, options, seen", [
    ("pairs", ["--seconds", 1000, "-q", 1], " 100 connected, [1-9]"),
    ("idle", ["--subscribers", 20, "--seconds", 1000], "20 connected, "),
    ("idle", ["--subscribers", 2000, "--connect-rate", 100], r" [1-9]\d connected, "),
    ("subscribe", ["--subscribers", 3], "3 connected, "),
])
def test_a_broker_that_ends_is_told_and_no_figure_of_it(workload, options, seen):
    broker = Apus()
    with Run(broker, workload, *options, "--pid", broker.process.pid) as run:
        run.until(seen)
        broker.kill()
        status, report, said = run.end()
    assert status == 1 and report["outcome"] == "disconnected"
    assert "stopped_by" not in report["connections"] and report["connections"]["broken"] > 0
    assert report["broker"] == {"ended": [broker.process.pid]}
    assert all(part.get("broker_cpu_seconds", 0) >= 0 for part in report["parts"].values())
    assert f"the broker's process {broker.process.pid} has ended" in said


def test_what_could_not_be_removed_is_said():
    broker = Apus()
    with Run(broker, "retained", "--count", 50_000_000, "-q", 1) as run:
        run.until(" 4 connected, [1-9]")
        broker.kill()
        status, report, said = run.end()
    assert status == 1 and report["connections"]["traces_left"]
    assert report["messages"]["lost"] == 0
    assert "retained messages of this run were left on the broker" in said
