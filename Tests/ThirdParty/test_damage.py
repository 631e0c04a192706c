"""A damaged message log: what the tools and the start say of it, and what they do."""

import json
import pathlib
import subprocess

import pytest

from apus import BINARY, PATIENCE, Apus, environment, run

QUIET = ["--set", "logging.format=json", "--set", "data.segmentBytes=1MiB"]


def tool(*arguments, settings=None):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
                          env=environment(settings))
    return done.returncode, done.stdout, done.stderr


def publish(broker, count, size):
    url = broker.endpoint().url
    run([BINARY, "sub", "--url", url, "-i", "away", "-t", "t", "-q", 1, "--no-clean-start", "--session-expiry", 3600,
         "-W", 1])
    lines = "".join(f"{number} {'x' * size}\n" for number in range(count))
    run([BINARY, "pub", "--url", url, "-t", "t", "-q", 1, "-l"], stdin=lines)


@pytest.fixture
def data(tmp_path):
    """The data directory of a broker that was stopped, with several segments and 300 messages waiting."""
    folder = tmp_path / "data"
    with Apus(*QUIET, data=folder) as broker:
        publish(broker, 300, 10_000)
    assert len(segments(folder)) >= 3
    assert tool("log", "verify", "--data", folder) == (0, *tool("log", "verify", "--data", folder)[1:])
    return folder


def segments(folder):
    return sorted(pathlib.Path(folder, "log").glob("0*.log"))


def flip(file, place):
    with open(file, "r+b") as open_file:
        open_file.seek(place)
        byte = open_file.read(1)
        open_file.seek(place)
        open_file.write(bytes([byte[0] ^ 1]))


def test_a_whole_log_is_all_sound(data):
    status, said, _ = tool("log", "verify", "--data", data)
    assert status == 0 and said.endswith(": all sound\n") and said.count("\n") == 1


@pytest.mark.parametrize("command", [["log", "verify"], ["log", "inspect"], ["backup", "--to", "/dev/null/none"]])
def test_the_data_directory_of_the_environment_is_looked_into(data, command):
    settings = {"APUS_DATA_DIRECTORY": str(data)}
    status, _, warned = tool(*command, settings=settings)
    assert "no data directory" not in warned and (status == 0 or command[0] == "backup")
    # What is said on the command line comes first.
    status, _, warned = tool(*command, "--data", "/nowhere", settings=settings)
    assert status == 1 and "/nowhere is no data directory with a message log" in warned


def test_a_damaged_message_is_told_by_every_tool_and_counted_at_the_start(data, tmp_path):
    file = segments(data)[1]
    place = file.read_bytes().index(b"xxxxxxxxxx") + 500
    flip(file, place)
    lost = "1 message is lost for all who waited for it"
    status, said, _ = tool("log", "verify", "--data", data)
    assert status == 1 and file.name in said and lost in said
    status, said, _ = tool("log", "inspect", "--data", data)
    assert status == 1 and lost in said
    status, said, _ = tool("log", "inspect", "--json", "--data", data)
    assert status == 1 and json.loads(said)["damage"][0]["lost_messages"] == 1
    status, said, warned = tool("backup", "--data", data, "--to", tmp_path / "backup")
    assert status == 3 and "segments" in said
    assert file.name in warned and lost in warned and "the backup was made of a damaged log" in warned
    status, said, warned = tool("restore", "--from", tmp_path / "backup", "--data", tmp_path / "restored")
    assert status == 3 and "299 waiting messages" in said
    assert file.name in warned and lost in warned
    with Apus(*QUIET, data=data) as broker:
        event = broker.event("log.damaged")
        assert event["file"] == file.name and event["effect"] == lost
        topic = "$SYS/broker/publish/messages/dropped/unreadable"
        done = run([BINARY, "sub", "--url", broker.endpoint().url, "-t", topic, "-C", 1])
        assert done.stdout == "1\n"


def test_a_missing_segment_is_told_by_every_tool(data, tmp_path):
    gone = segments(data)[1]
    gone.unlink()
    status, said, _ = tool("log", "verify", "--data", data)
    assert status == 1 and f"all that stood only in {gone.name} is lost" in said
    status, _, warned = tool("backup", "--data", data, "--to", tmp_path / "backup")
    assert status == 3 and gone.name in warned
    status, _, warned = tool("restore", "--from", tmp_path / "backup", "--data", tmp_path / "restored")
    assert status == 3 and gone.name in warned


def test_a_log_that_lost_its_end_is_not_called_all_sound(data):
    last = segments(data)[-1]
    size = last.stat().st_size
    for cut in (1, 15_000):
        with open(last, "r+b") as file:
            file.truncate(size - cut)
        status, said, _ = tool("log", "verify", "--data", data)
        assert status == 0 and "all sound" not in said
        assert "bytes" in said and "lost later" in said
    with Apus(*QUIET, data=data) as broker:
        event = broker.event("log.damaged")
        assert "bytes were lost later" in event["explanation"]


def test_a_backup_that_cannot_be_made_names_its_file(data):
    status, _, said = tool("backup", "--data", data, "--to", "/nowhere/at/all")
    assert status == 1 and "/nowhere/at/all" in said
