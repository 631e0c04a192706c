"""Runs of `apus bench` in tests."""

import json
import subprocess

from apus import BINARY, PATIENCE, environment


def bench(url, workload, *options, settings=None):
    """Runs `apus bench`; its exit status, report and words."""
    command = [BINARY, "bench", workload, "--url", url, "--json", *map(str, options)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=3 * PATIENCE, env=environment(settings))
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = None
    return done.returncode, report, done.stderr


def url(broker, scheme="mqtt"):
    return f"{scheme}://127.0.0.1:{broker.endpoint(scheme).port}"


def flawless(outcome):
    status, report, said = outcome
    assert status == 0, f"{report} {said}"
    assert report["verified"] and report["violations"] == {} and report["problems"] == []
    messages = report["messages"]
    assert messages["delivered"] == messages["expected"] and messages["lost"] == 0
    return report
