"""The benchmarks themselves: that they run, and that what they write says what was measured. The figures mean nothing here."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import xml.dom.minidom

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BENCHMARKS = ROOT / "Benchmarks"
DEBUG = ROOT / ".build" / "debug"
BINARY = pathlib.Path(os.environ.get("APUS_BINARY", DEBUG / "apus"))

sys.path.insert(0, str(BENCHMARKS))

import compare as compare_script  # noqa: E402
import contenders  # noqa: E402
import document  # noqa: E402
import places  # noqa: E402
import plots  # noqa: E402
import workloads  # noqa: E402


def run(script, *arguments):
    done = subprocess.run([sys.executable, BENCHMARKS / script, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def page(tmp_path):
    """A copy of the real document, so that its places for the generated parts are tested too."""
    copy = tmp_path / "performance.md"
    shutil.copy(ROOT / "docs" / "performance.md", copy)
    return copy


def compare(tmp_path, page, *arguments):
    out = tmp_path / "results.jsonl"
    run("compare.py", "--binary", BINARY, "--out", out, "--document", page, "--folder", tmp_path / "data", "--rounds", 1,
        "--seconds", 0.1, "--connections", 100, "--sessions", 300, "--minutes", 0.01, *arguments)
    return [line for line in map(json.loads, out.read_text().splitlines()) if line["kind"] == "result"]


def test_apus_alone_is_measured_and_written_down(tmp_path, page):
    names = ["pairs-q1", "tls-q0", "latency-q0", "idle", "storm-sessions", "sessions", "shards-skewed", "settings-pairs-q1", "soak"]
    results = compare(tmp_path, page, "--peers", "none", "--workloads", ",".join(names))
    assert [line["workload"] for line in results] == [
        *names[:7], "shards-skewed", "settings-pairs-q1", "settings-pairs-q1", "soak"]
    assert all(line["verified"] for line in results), results
    for line in results:
        assert line["figures"].keys() >= set(next(one for one in workloads.WORKLOADS if one.name == line["workload"]).figures) - {
            "growth", "busiest"}, line
    text = page.read_text()
    assert "| 50 pairs, QoS 1 | broker CPU s per million |" in text
    assert "A million idle connections to Apus" in text
    assert "| workload | figure | apus | apus, as installed |" in text
    assert "apus serve --dev" in text and "`pairs --size 256 --publishers 50 -q 1 --seconds 0.1`" in text
    for name in ["cpu", "latency-q0", "memory", "shards"]:
        xml.dom.minidom.parse(str(tmp_path / "performance" / f"{name}.svg"))


def test_what_others_cannot_do_is_told(tmp_path, page):
    results = compare(tmp_path, page, "--peers", "none", "--workloads", "pairs-q0,tls-q0", "--start",
                      f"mine={BINARY} serve --dev --data {{data}} --listen mqtt://127.0.0.1:{{port}}", "--start", "absent=/nowhere/broker",
                      "--peer", "far=127.0.0.1:1")
    assert [(line["workload"], line["broker"]) for line in results] == [
        ("pairs-q0", "apus"), ("pairs-q0", "mine"), ("tls-q0", "apus"), ("tls-q0", "mine")]
    assert "unsupported" in results[3]
    text = page.read_text()
    assert "- mine, tls-q0: not supported:" in text
    assert "| absent | – | left out: there is no command /nowhere/broker |" in text
    assert "| far | – | left out: 127.0.0.1:1: " in text


def test_a_file_of_the_users_broker_is_filled_in(tmp_path):
    (tmp_path / "other.conf").write_text("listen 127.0.0.1:{port}\nstore {data}\n")
    broker = contenders.Command("other", f"other --port {{port}} -c {{file:{tmp_path}/other.conf}} --data={{data}}")
    place = tmp_path / "place"
    place.mkdir()
    assert broker.command(place, 1234, None) == ["other", "--port", "1234", "-c", f"{place}/other.conf", f"--data={place}/data"]
    assert (place / "other.conf").read_text() == f"listen 127.0.0.1:1234\nstore {place}/data\n"
    assert broker.settings() == "`other --port {port} -c other.conf --data={data}`, `listen 127.0.0.1:{port}`, `store {data}`"
    assert contenders.Command("mine", "/opt/broker/bin/mine --fast --lib=/opt/broker/lib").settings() == "`mine --fast --lib=lib`"


def test_the_parts_are_measured(tmp_path, page):
    out = tmp_path / "micro.jsonl"
    text = run("micro.py", "--binary", DEBUG / "ApusMicrobench", "--quick", "--no-callgrind", "--folder", tmp_path / "data",
               "--out", out, "--document", page)
    results = [line for line in map(json.loads, out.read_text().splitlines()) if line["kind"] == "result"]
    assert {line["group"].partition(",")[0] for line in results} == {"decoder", "encoder", "window", "log", "index"}
    assert all(line.get("nanoseconds", 1) > 0 for line in results)
    decoding = [line for line in results if line["group"] == "decoder" and line["name"].startswith("PUBLISH")]
    assert len(decoding) == 4 and all(line.get("allocations", 0) == 0 for line in decoding)
    assert "PUBLISH in place, MQTT 5.0, QoS 1, 256 bytes" in text and text.splitlines()[-1] in page.read_text()


# Where results go.

@pytest.mark.parametrize("options, published", [
    (["--rounds", "3", "--seconds", "2"], True), (["--rounds", "2"], False), (["--seconds", "1.9"], False), ([], True),
])
def test_only_what_deserves_it_is_published(tmp_path, monkeypatch, options, published):
    monkeypatch.setattr(sys, "argv", ["compare.py", "--folder", str(tmp_path), *options])
    chosen = compare_script.parse()
    places.choose(chosen, "comparison.jsonl", compare_script.look(chosen))
    base = ROOT / "docs" if published else tmp_path
    assert (chosen.document, chosen.out) == (base / "performance.md", base / "performance" / "comparison.jsonl")


def test_chosen_places_always_win(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["compare.py", "--folder", str(tmp_path), "--rounds", "1", "--document", "", "--out", str(tmp_path / "x")])
    chosen = compare_script.parse()
    places.choose(chosen, "comparison.jsonl", compare_script.look(chosen))
    assert chosen.document.name == "" and chosen.out == tmp_path / "x"


def test_a_new_document_is_made_and_other_parts_of_an_old_one_stay(tmp_path):
    page = tmp_path / "new.md"
    compare(tmp_path, page, "--peers", "none", "--workloads", "pairs-q1")
    text = page.read_text()
    assert "| 50 pairs, QoS 1 | broker CPU s per million |" in text and text.count("Not measured yet") == len(workloads.SECTIONS)
    page.write_text(text.replace("Not measured yet: `make bench` does it.", "by hand"))
    compare(tmp_path, page, "--peers", "none", "--workloads", "latency-q0")
    assert page.read_text().count("by hand") == len(workloads.SECTIONS) - 1


@pytest.mark.parametrize("script, option", [
    ("compare.py", ["--rounds", "0"]), ("compare.py", ["--seconds", "-1"]), ("compare.py", ["--minutes", "x"]),
])
def test_numbers_that_measure_nothing_are_refused(script, option):
    done = subprocess.run([sys.executable, BENCHMARKS / script, *option], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and f"{option[1]} is no " in done.stderr and "above 0" in done.stderr


def test_the_list_is_filled_in():
    listed = run("compare.py", "--list", "--connections", 123)
    assert "123 idle connections, then a message to each" in listed and "{" not in listed
    assert len(run("compare.py", "--list", "--workloads", "latency").splitlines()) == 2


def test_ctrl_c_keeps_the_results_and_leaves_no_broker(tmp_path):
    command = [sys.executable, BENCHMARKS / "compare.py", "--binary", BINARY, "--out", tmp_path / "out", "--folder", tmp_path / "data",
               "--document", "", "--peers", "none", "--workloads", "pairs-q1", "--rounds", "1000", "--seconds", "0.1"]
    # Tests that a shell runs in the background ignore SIGINT, and so would what they start.
    process = subprocess.Popen([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert "pairs-q1" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    results = [line for line in (tmp_path / "out").read_text().splitlines() if json.loads(line)["kind"] == "result"]
    assert process.returncode == 130 and "Traceback" not in said
    assert f"compare: interrupted; {len(results)} results are kept in {tmp_path / 'out'}" in said and results
    assert list((tmp_path / "data").iterdir()) == []


# What is made of results.

def result(workload, broker, turn, run="2026-01-01T00:00:00Z", **figures):
    return {"kind": "result", "run": run, "workload": workload, "title": "a title", "broker": broker, "round": turn,
            "arguments": "", "verified": True, "violations": {}, "figures": figures}


def test_a_table_shows_medians_spread_and_ratio():
    lines = [result("pairs-q0", "apus", turn, cpu=cpu, rate=1000) for turn, cpu in enumerate([0.5, 0.3, 0.4])]
    lines += [result("pairs-q0", "other", turn, cpu=cpu, rate=100) for turn, cpu in enumerate([4, 8, 6])]
    table = document.table(document.Results(lines), "traffic")
    assert "| a title | broker CPU s per million | 0.40 [0.30–0.50] | 6.00 [4.00–8.00] · 15× |" in table
    assert "|  | messages/s | 1,000 [1,000–1,000] | 100 [100–100] · 10× |" in table


def test_only_the_newest_run_of_a_workload_counts():
    lines = [result("pairs-q0", "apus", 0, cpu=9), result("pairs-q0", "apus", 0, run="2026-01-02T00:00:00Z", cpu=1),
             result("pairs-q1", "apus", 0, cpu=2)]
    results = document.Results(lines)
    assert results.values("pairs-q0", "apus", "cpu") == [1] and results.values("pairs-q1", "apus", "cpu") == [2]


def test_a_run_that_was_not_verified_is_marked():
    lines = [result("pairs-q0", "apus", 0, cpu=1), result("pairs-q0", "other", 0, cpu=1)]
    lines[1] |= {"verified": False, "violations": {"lost": 1200}, "problems": ["the broker closed the connection"]}
    table = document.table(document.Results(lines), "traffic")
    assert "1.00 ⚠ · 1×" in table
    assert "- ⚠ other, pairs-q0: not verified in 1 of 1 runs: lost 1,200 (the broker closed the connection)" in table


def test_what_is_written_by_hand_stays(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- a: written by Benchmarks -->\nold\n<!-- end of a -->\nafter\n")
    document.replace(path, {"a": "new", "elsewhere": "x"})
    assert path.read_text() == "before\n<!-- a: written by Benchmarks -->\n\nnew\n\n<!-- end of a -->\nafter\n"


@pytest.mark.parametrize("values", [[1], [0.001, 1e9], [0, 5], [-3, 3], [7, 7]])
def test_any_values_can_be_drawn(values):
    line = [(place + 1, value) for place, value in enumerate(values)]
    xml.dom.minidom.parseString(plots.lines("a & b", {"<one>": line}, "x", "y"))
    positive = [value for value in values if value > 0]
    xml.dom.minidom.parseString(plots.lines("a", {"one": [(1, value) for value in positive]}, "x", "y", (True, True)))
    xml.dom.minidom.parseString(plots.bars("a", [("row", {"one": (positive[0], positive[0], positive[-1])})], ["one", "two"], "unit"))


def test_nothing_draws_nothing():
    assert plots.bars("a", [], [], "unit") is None and plots.lines("a", {}, "x", "y") is None
