"""`apus bench` as devices of an instance."""

import json
import subprocess

import pytest

from apus import BINARY, PATIENCE, environment
from service import ADMIN, FIRST


def bench(service, workload, *options, secret=ADMIN[1], client_id="GID_apus@@@{run}-{role}{n}", topic="orders/{run}/{n}"):
    command = [BINARY, "bench", workload, "--port", service.port, "--mode", "signature", "--access-key-id", ADMIN[0], "-I",
               FIRST, "--client-id", client_id, "--topic", topic, "--json", *options]
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, timeout=PATIENCE,
                          env=environment({"APUS_ACCESS_KEY_SECRET": secret}))
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("workload, options, deliveries", [
    ("p2p", ["--publishers", 4], 120),
    ("pairs", ["--publishers", 4], 120),
    ("fan-in", ["--publishers", 4, "--subscribers", 2], 240),
    ("wildcard", ["--publishers", 4, "--subscribers", 3, "--filters", 8], 120),
])
def test_devices_get_all_of_their_messages(service, workload, options, deliveries, version):
    status, report, said = bench(service, workload, *options, "--count", 30, "-q", 1, "-V", version)
    assert status == 0, f"{report} {said}"
    assert report["messages"]["delivered"] == deliveries


def test_a_wrong_secret_is_told(service):
    status, report, said = bench(service, "pairs", "--count", 1, secret="wrong")
    assert status == 1 and not report["verified"]
    assert "CONNECT refused: " in said


def test_a_group_that_is_not_there_is_told(service):
    status, _, said = bench(service, "pairs", "--count", 1, client_id="GID_none@@@{role}{n}")
    assert status == 1
    assert "CONNECT refused: " in said or "closed the connection" in said


def test_a_refusal_of_all_clients_is_told_once(service):
    _, report, said = bench(service, "pairs", "--publishers", 10, "--count", 1, "-V", 5, client_id="{role}{n}")
    assert len(report["problems"]) == 1, report["problems"]
    assert said.count("CONNECT refused: ") == 1, said
