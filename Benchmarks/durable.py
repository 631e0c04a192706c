#!/usr/bin/python3
"""What durability costs: stores, drains, restarts and weighs brokers in turns. See README.md."""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import select
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Crash"))

import brokers  # noqa: E402
import mqtt  # noqa: E402

# Unlimited like mosquitto's queues here, so that nothing is dropped.
APUS = {"limits.queuedMessagesPerSession": 10_000_000, "limits.queuedBytesPerSession": 1 << 36, "logging.level": "warning"}
# Its default of 20 is less than what a publisher of QoS 2 has in flight here.
MOSQUITTO = ["max_inflight_messages 256"]
CONTENDERS = {
    "apus": lambda: brokers.Apus(APUS),
    "apus-process": lambda: brokers.Apus(APUS | {"data.durability": "process"}),
    "apus-memory": lambda: brokers.Apus(APUS | {"data.durability": "memory"}),
    # As Debian ships it: what is stored is saved every half hour.
    "mosquitto": lambda: brokers.Mosquitto(None, MOSQUITTO),
    "mosquitto-1s": lambda: brokers.Mosquitto(1, MOSQUITTO),
}
SESSIONS = 500
SIZE = 64


# What `apus bench` measures.

async def generate(options, broker, *arguments):
    """One run of the generator: its report."""
    command = [options.binary, "bench", "offline", "--json", "--quiet", "-V", "3.1.1", "--url", f"mqtt://127.0.0.1:{broker.port}",
               "--pid", broker.process.pid, "--size", SIZE, "--window", 64, "--subscribers", SESSIONS, "--timeout", 20, *arguments]
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=brokers.environment(),
    )
    output, errors = await process.communicate()
    try:
        return json.loads(output)
    except ValueError:
        raise RuntimeError(f"{' '.join(map(str, command))}: {errors.decode()}") from None


def storing(qos, publishers):
    """Acknowledged messages a second into absent sessions, then the drain."""
    async def measure(options, broker):
        got = await generate(options, broker, "-q", qos, "--publishers", publishers, "--count", options.stored // SESSIONS, "--keep")
        parts = got["parts"]
        return {
            "store/s": round(parts["store"]["per_second"]), "store CPU s/M": parts["store"]["broker_cpu_seconds_per_million"],
            "drain/s": round(parts["drain"]["per_second"]), "drain CPU s/M": parts["drain"]["broker_cpu_seconds_per_million"],
            "lost": got["messages"]["lost"], "kept the rules": got["verified"],
        }
    return measure


async def recovery(options, broker):
    """Stores, kills, times the start, drains."""
    await broker.kill()
    begun = time.monotonic()
    await broker.start()
    empty = time.monotonic() - begun
    shape = ["--publishers", 50, "--count", options.messages // SESSIONS, "--state", os.path.join(broker.folder.name, "state"), "--keep"]
    stored = (await generate(options, broker, *shape, "--phase", "store"))["messages"]["acknowledged"]
    await broker.kill()
    begun = time.monotonic()
    await broker.start()
    seconds = time.monotonic() - begun
    drained = await generate(options, broker, *shape, "--phase", "drain")
    return {
        "acknowledged": stored, "start s": round(seconds, 3), "empty start s": round(empty, 3),
        "messages/s": round(stored / max(seconds - empty, 0.001)), "lost": drained["messages"]["lost"],
        "sessions lost": SESSIONS - drained["connections"]["sessions_present"], "drain/s": round(drained["parts"]["drain"]["per_second"]),
    }


async def memory(options, broker):
    """Bytes of memory for each queued message, beyond the first fifth."""
    resident, stored = [], 0
    for count in (options.messages // 5, options.messages):
        got = await generate(options, broker, "--publishers", 50, "--count", count // SESSIONS, "--phase", "store", "--state",
                             os.path.join(broker.folder.name, "state"))
        await asyncio.sleep(1)
        resident.append(status(broker, "VmRSS"))
        stored = got["messages"]["acknowledged"]
    return {"bytes/message": round((resident[1] - resident[0]) / stored, 1), "resident MB": round(resident[1] / 1e6)}


# What this script measures by itself, with MQTT 3.1.1.

def status(broker, field):
    """A field of /proc/PID/status, in bytes."""
    for line in pathlib.Path(f"/proc/{broker.process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def cpu_seconds(broker):
    fields = pathlib.Path(f"/proc/{broker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bytes_written(broker):
    """By write calls to files; brokers answer clients with send calls, which do not count here."""
    lines = pathlib.Path(f"/proc/{broker.process.pid}/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("wchar")))


def receive(connection, count):
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise EOFError(f"closed after {data.hex(' ')}")
        data += chunk
    return data


def connections(broker, names, clean=False):
    """Clients with CONNACK; all ask before the first one is heard."""
    made = [socket.create_connection(("127.0.0.1", broker.port), 30) for _ in names]
    for connection, name in zip(made, names):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(mqtt.connect(4, name, clean=clean))
    for connection in made:
        answer = receive(connection, 4)
        if answer[3]:
            raise RuntimeError(f"CONNACK {answer.hex(' ')}")
    return made


def absent_sessions(broker, names, topic_of, together=50):
    """Persistent sessions with a subscription each; their clients leave."""
    for first in range(0, len(names), together):
        some = names[first:first + together]
        made = connections(broker, some)
        for connection, name in zip(made, some):
            connection.sendall(mqtt.subscribe(4, 1, [(topic_of(name), 1)]))
        for connection in made:
            if receive(connection, 5)[4] != 1:
                raise RuntimeError("the subscription was refused")
            connection.sendall(mqtt.disconnect())
            connection.close()


async def sessions(options, broker):
    """Bytes of memory for each absent session with one subscription, beyond the first thousand."""
    first, count = 1000, options.sessions
    absent_sessions(broker, [f"early{number}" for number in range(first)], lambda name: f"session/{name}/state")
    await asyncio.sleep(1)
    before, cpu, begun = status(broker, "VmRSS"), cpu_seconds(broker), time.monotonic()
    absent_sessions(broker, [f"client{number}" for number in range(count)], lambda name: f"session/{name}/state")
    seconds = time.monotonic() - begun
    await asyncio.sleep(1)
    return {
        "bytes/session": round((status(broker, "VmRSS") - before) / count), "subscribed/s": round(count / seconds),
        "CPU s/M": round((cpu_seconds(broker) - cpu) / count * 1e6, 1),
    }


async def fanout(options, broker):
    """Bytes written for a message to one absent session, and to a thousand."""
    got = {}
    for count in (1, 1000):
        absent_sessions(broker, [f"fan{count}-{number}" for number in range(count)], lambda name, count=count: f"fan/{count}")
        [publisher] = connections(broker, [f"fan{count}-publisher"], clean=True)
        await asyncio.sleep(1.5)
        before, messages = bytes_written(broker), 640
        for first in range(0, messages, 64):
            publisher.sendall(b"".join(
                mqtt.publish(4, f"fan/{count}", bytes(SIZE), 1, number + 1) for number in range(first, first + 64)
            ))
            receive(publisher, 4 * 64)
        await asyncio.sleep(1.5)
        got[f"bytes to {count}"] = round((bytes_written(broker) - before) / messages)
        publisher.close()
    got["bytes/session"] = round((got["bytes to 1000"] - 1.5 * got["bytes to 1"]) / 1000, 1)
    return got


async def latency(options, broker):
    """Time from when a message was due to its PUBACK, at a fixed rate whatever the broker does."""
    count, total = 20, int(options.rate * options.seconds)
    absent_sessions(broker, [f"late{number}" for number in range(count)], lambda name: f"late/{name.removeprefix('late')}")
    publishers = connections(broker, [f"publisher{number}" for number in range(count)], clean=True)
    places = {publisher.fileno(): place for place, publisher in enumerate(publishers)}
    before, heads = cpu_seconds(broker), [mqtt.publish(4, f"late/{place}", bytes(SIZE), 1, 0) for place in range(count)]
    # An identifier is behind two bytes of header and the topic with its length.
    cuts = [4 + len(f"late/{place}") for place in range(count)]
    due = [collections.deque() for _ in range(count)]
    latencies, late, tails, begun, sent = [], 0.0, [0] * count, time.perf_counter(), 0
    while len(latencies) < total:
        now = time.perf_counter()
        while sent < total and begun + sent / options.rate <= now:
            place, moment, identifier = sent % count, begun + sent / options.rate, sent // count % 65_535 + 1
            head, cut = heads[place], cuts[place]
            publishers[place].sendall(head[:cut] + identifier.to_bytes(2, "big") + head[cut + 2:])
            due[place].append(moment)
            late = max(late, now - moment)
            sent += 1
        wait = max(0.0, begun + sent / options.rate - time.perf_counter()) if sent < total else 5
        readable, _, _ = select.select(places, [], [], wait)
        for descriptor in readable:
            place = places[descriptor]
            data = publishers[place].recv(65_536)
            now = time.perf_counter()
            whole, tails[place] = divmod(tails[place] + len(data), 4)
            # PUBACKs come in the order of the PUBLISH packets [MQTT-4.6.0-2].
            latencies += [now - due[place].popleft() for _ in range(whole)]
        if not readable and wait == 5:
            raise RuntimeError(f"{total - len(latencies)} messages were not acknowledged")
    latencies.sort()

    def at(share):
        return round(latencies[min(total - 1, int(share * total))] * 1000, 2)

    return {
        "p50 ms": at(0.5), "p99 ms": at(0.99), "p99.9 ms": at(0.999), "max ms": at(1), "sender late ms": round(late * 1000, 2),
        "CPU s/M": round((cpu_seconds(broker) - before) / total * 1e6, 1),
    }


MEASURES = {f"store-q{qos}-{publishers}": storing(qos, publishers) for qos in (1, 2) for publishers in (1, 50, 500)}
MEASURES |= {"latency": latency, "fanout": fanout, "recovery": recovery, "memory": memory, "sessions": sessions}


async def run(options):
    results = collections.defaultdict(list)
    for number in range(options.rounds):
        for measure in options.measures:
            for contender in options.brokers:
                broker = CONTENDERS[contender]()
                try:
                    await broker.start()
                    got = await MEASURES[measure](options, broker)
                except (RuntimeError, AssertionError, OSError, EOFError) as error:
                    got = {"error": " ".join(str(error).split())[-300:]}
                finally:
                    await broker.close()
                print(measure, contender, got, flush=True)
                results[measure, contender].append(got)
                if options.out:
                    with open(options.out, "a") as file:
                        file.write(json.dumps({"measure": measure, "broker": contender, "round": number, **got}) + "\n")
    print(table(results))


def table(results):
    """Medians, with the least and the greatest behind them."""
    lines = ["", "| measure | broker | median (least to greatest) |", "|---|---|---|"]
    for (measure, contender), rounds in results.items():
        cells = []
        for name in dict.fromkeys(name for got in rounds for name in got):
            values = [got[name] for got in rounds if name in got]
            if isinstance(values[0], (int, float)) and not isinstance(values[0], bool):
                spread = f" ({min(values):,} to {max(values):,})" if len(values) > 1 else ""
                cells.append(f"{name} {round(statistics.median(values), 3):,}{spread}")
            else:
                cells.append(f"{name} {', '.join(sorted(set(map(str, values))))}")
        lines.append(f"| {measure} | {contender} | {'; '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", help="apus, broker and generator; without it APUS_BINARY, or the debug build")
    parser.add_argument("--brokers", default="apus,mosquitto,mosquitto-1s", help=", ".join(CONTENDERS))
    parser.add_argument("--measures", default=",".join(MEASURES), help="some of: " + " ".join(MEASURES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stored", type=int, default=500_000, help="messages of a store phase")
    parser.add_argument("--seconds", type=float, default=5, help="of the latency measure")
    parser.add_argument("--rate", type=float, default=10_000, help="of the latency measure")
    parser.add_argument("--messages", type=int, default=1_000_000, help="stored for recovery and memory")
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--out", help="a file that gets a line of JSON for each measurement")
    options = parser.parse_args()
    options.brokers, options.measures = options.brokers.split(","), options.measures.split(",")
    unknown = [name for name in options.brokers if name not in CONTENDERS] + [name for name in options.measures if name not in MEASURES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    options.binary = brokers.BINARY = os.path.abspath(options.binary or brokers.BINARY)
    if not os.path.exists(options.binary):
        parser.error(f"there is no {options.binary}")
    try:
        asyncio.run(run(options))
    except KeyboardInterrupt:
        print(f"\ndurable: interrupted; what was measured stands above{' and in ' + options.out if options.out else ''}", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
