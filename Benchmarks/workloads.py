"""What is measured: workloads of `apus bench`, the figures taken from each report, and the tables that they stand in."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number of a report."""

    label: str
    # Where it stands in the JSON of `apus bench`.
    path: str
    # Whether less is better, more is better, or neither (`None`).
    better: str | None = "less"
    digits: int = 2


FIGURES = {
    "cpu": Figure("broker CPU s per million", "parts.messages.broker_cpu_seconds_per_million"),
    "rate": Figure("messages/s", "parts.messages.per_second", "more", 0),
    "generator": Figure("generator CPU s per wall s", "generator_share", None),
    "p50": Figure("p50 µs", "latency_microseconds.p50", digits=0),
    "p90": Figure("p90 µs", "latency_microseconds.p90", digits=0),
    "p99": Figure("p99 µs", "latency_microseconds.p99", digits=0),
    "p999": Figure("p99.9 µs", "latency_microseconds.p999", digits=0),
    "latest": Figure("max µs", "latency_microseconds.max", None, 0),
    "late": Figure("sent late", "messages.late", None, 0),
    "resident": Figure("resident MiB", "resident_mib", digits=1),
    "subscribe_rate": Figure("subscriptions/s", "parts.subscribe.per_second", "more", 0),
    "bytes_filter": Figure("bytes a subscription", "broker.bytes_per_item", digits=0),
    "set_cpu": Figure("set: broker CPU s per million", "parts.set.broker_cpu_seconds_per_million"),
    "set_rate": Figure("set: messages/s", "parts.set.per_second", "more", 0),
    "get_cpu": Figure("get: broker CPU s per million", "parts.get.broker_cpu_seconds_per_million"),
    "get_rate": Figure("get: messages/s", "parts.get.per_second", "more", 0),
    "bytes_message": Figure("bytes a message", "broker.bytes_per_item", digits=0),
    "store_cpu": Figure("store: broker CPU s per million", "parts.store.broker_cpu_seconds_per_million"),
    "store_rate": Figure("store: messages/s", "parts.store.per_second", "more", 0),
    "drain_cpu": Figure("drain: broker CPU s per million", "parts.drain.broker_cpu_seconds_per_million"),
    "drain_rate": Figure("drain: messages/s", "parts.drain.per_second", "more", 0),
    "connections": Figure("connections", "connections.connected", None, 0),
    "bytes_connection": Figure("bytes a connection with one subscription", "broker.bytes_per_item", digits=0),
    "kernel_bytes": Figure("kernel's bytes a connection, both ends", "kernel_bytes", None, 0),
    "idle_processors": Figure("processors used by idling", "broker.idle_processors", digits=4),
    "connect_cpu": Figure("connect: broker CPU s per million", "parts.connect.broker_cpu_seconds_per_million"),
    "connect_rate": Figure("connections/s", "parts.connect.per_second", "more", 0),
    "again_cpu": Figure("reconnect: broker CPU s per million", "parts.connect_2.broker_cpu_seconds_per_million"),
    "again_rate": Figure("reconnections/s", "parts.connect_2.per_second", "more", 0),
    "connect_p99": Figure("connect p99 µs", "connect_latency_microseconds.p99", digits=0),
    "busiest": Figure("busiest shard's part of the CPU", "busiest_shard", digits=2),
    "bytes_session": Figure("bytes an absent session", "bytes_per_session", digits=0),
    "session_rate": Figure("sessions made/s", "sessions_per_second", "more", 0),
    "sessions": Figure("sessions", "sessions", None, 0),
    "growth": Figure("resident MiB: growth in the second half", "growth_mib", digits=1),
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """A broker with other settings than it has in the rest of the comparison."""

    name: str
    broker: str = "apus"
    # Settings of Apus that are added.
    settings: tuple = ()
    # Whether it has the settings that it has when nobody chooses any.
    as_installed: bool = False


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    # The table that it stands in.
    section: str
    # Of `apus bench`; {seconds}, {connections} and {run} are replaced.
    arguments: str
    figures: tuple
    is_secure: bool = False
    # The only ones that are measured, if there are any.
    variants: tuple[Variant, ...] = ()
    # How it runs when one run of `apus bench` is not all: `sessions` or `soak`.
    kind: str = "bench"


def _traffic(section, name, title, arguments, figures=("cpu", "rate"), **more):
    return Workload(name, title, section, f"{arguments} --seconds {{seconds}}", figures, **more)


PAIRS = "pairs --size 256 --publishers"
SHARDS = (Variant("apus, 1 shard", settings=(("shards", 1),)), Variant("apus, 2 shards", settings=(("shards", 2),)))
INSTALLED = (
    Variant("apus"), Variant("apus, as installed", as_installed=True),
    Variant("mosquitto", "mosquitto"), Variant("mosquitto, as installed", "mosquitto", as_installed=True),
)

WORKLOADS = [
    _traffic("traffic", "pairs-q0", "50 pairs, QoS 0", f"{PAIRS} 50 -q 0"),
    _traffic("traffic", "pairs-q1", "50 pairs, QoS 1", f"{PAIRS} 50 -q 1"),
    _traffic("traffic", "pairs-q2", "50 pairs, QoS 2", f"{PAIRS} 50 -q 2"),
    _traffic("traffic", "fan-in-q0", "fan-in 50 → 1, QoS 0", "fan-in --size 256 -q 0 --window 20"),
    _traffic("traffic", "fan-in-q1", "fan-in 50 → 1, QoS 1", "fan-in --size 256 -q 1 --window 20"),
    _traffic("traffic", "fan-out-q0", "fan-out 1 → 1,000, QoS 0", "fan-out --size 256 -q 0 --subscribers 1000 --window 16"),
    _traffic("traffic", "fan-out-q1", "fan-out 1 → 1,000, QoS 1", "fan-out --size 256 -q 1 --subscribers 1000 --window 16"),
    _traffic("traffic", "wildcard", "100,000 wildcard filters of 1,000 clients, QoS 0",
             "wildcard --size 256 -q 0 --publishers 10 --subscribers 1000 --filters 100 --window 64",
             ("cpu", "rate", "subscribe_rate", "bytes_filter")),
    _traffic("traffic", "one-50-q0", "50 pairs, one in flight, QoS 0", f"{PAIRS} 50 -q 0 --window 1", ("cpu", "rate", "p50", "p99")),
    _traffic("traffic", "one-50-q1", "50 pairs, one in flight, QoS 1", f"{PAIRS} 50 -q 1 --window 1", ("cpu", "rate", "p50", "p99")),
    _traffic("traffic", "one-1000-q0", "1,000 pairs, one in flight, QoS 0", f"{PAIRS} 1000 -q 0 --window 1", ("cpu", "rate", "p50", "p99")),
    _traffic("traffic", "one-1000-q1", "1,000 pairs, one in flight, QoS 1", f"{PAIRS} 1000 -q 1 --window 1", ("cpu", "rate", "p50", "p99")),
    _traffic("traffic", "tls-q0", "50 pairs over TLS, QoS 0", f"{PAIRS} 50 -q 0 --insecure", is_secure=True),
    _traffic("traffic", "tls-q1", "50 pairs over TLS, QoS 1", f"{PAIRS} 50 -q 1 --insecure", is_secure=True),

    _traffic("latency", "latency-q0", "20 pairs, 10,000 messages/s, QoS 0", "pairs --size 256 --publishers 20 -q 0 --rate 10000",
             ("p50", "p90", "p99", "p999", "latest", "late", "cpu")),
    _traffic("latency", "latency-q1", "20 pairs, 10,000 messages/s, QoS 1", "pairs --size 256 --publishers 20 -q 1 --rate 10000",
             ("p50", "p90", "p99", "p999", "latest", "late", "cpu")),

    Workload("retained", "50,000 retained messages, QoS 1", "stored",
             "retained -q 1 --size 256 --count 50000 --publishers 4 --window 64 --keep",
             ("set_cpu", "set_rate", "get_cpu", "get_rate", "bytes_message")),
    Workload("offline", "200 absent sessions, 500 messages each, QoS 1", "stored",
             "offline -q 1 --size 256 --subscribers 200 --count 500 --publishers 4 --window 64 --keep",
             ("store_cpu", "store_rate", "drain_cpu", "drain_rate", "bytes_message")),

    Workload("idle", "{connections} idle connections, then a message to each", "clients",
             "idle --subscribers {connections} --seconds 3 --concurrency 256",
             ("connections", "connect_cpu", "connect_rate", "bytes_connection", "kernel_bytes", "idle_processors", "p50", "p99")),
    Workload("storm", "{connections} connections at once, and once more", "clients",
             "storm --subscribers {connections} --rounds 2 --filters 1 --concurrency 512",
             ("connect_cpu", "connect_rate", "again_cpu", "again_rate", "connect_p99")),
    Workload("storm-sessions", "{connections} persistent sessions connect, and come back once more", "clients",
             "storm --subscribers {connections} --rounds 2 --filters 1 --concurrency 512 --persistent --keep",
             ("connect_cpu", "connect_rate", "again_cpu", "again_rate", "connect_p99")),
    Workload("sessions", "{sessions} absent sessions with one subscription each", "clients",
             "storm -q 1 --subscribers {wave} --filters 1 --concurrency 512 --persistent --keep",
             ("sessions", "session_rate", "bytes_session"), kind="sessions"),

    _traffic("shards", "shards-pairs-q0", "50 pairs, QoS 0", f"{PAIRS} 50 -q 0", ("cpu", "rate", "busiest"), variants=SHARDS),
    _traffic("shards", "shards-pairs-q1", "50 pairs, QoS 1", f"{PAIRS} 50 -q 1", ("cpu", "rate", "busiest"), variants=SHARDS),
    _traffic("shards", "shards-rate-q1", "50 pairs, 200,000 messages/s, QoS 1", f"{PAIRS} 50 -q 1 --rate 200000",
             ("cpu", "p50", "p99", "busiest"), variants=SHARDS),
    _traffic("shards", "shards-fan-out", "fan-out 1 → 1,000, QoS 0", "fan-out --size 256 -q 0 --subscribers 1000 --window 16",
             ("cpu", "rate", "busiest"), variants=SHARDS),
    _traffic("shards", "shards-skewed", "one publisher among 200 subscribers, QoS 1",
             "fan-out --size 256 -q 1 --publishers 1 --subscribers 200 --window 32", ("cpu", "rate", "busiest"), variants=SHARDS),
    _traffic("shards", "shards-wildcard", "100,000 wildcard filters of 1,000 clients, QoS 0",
             "wildcard --size 256 -q 0 --publishers 10 --subscribers 1000 --filters 100 --window 64",
             ("cpu", "rate", "busiest"), variants=SHARDS),

    _traffic("shards", "shards-latency-q0", "20 pairs, 10,000 messages/s, QoS 0", "pairs --size 256 --publishers 20 -q 0 --rate 10000",
             ("p50", "p99", "p999", "late", "cpu"), variants=SHARDS),
    _traffic("shards", "shards-latency-q1", "20 pairs, 10,000 messages/s, QoS 1", "pairs --size 256 --publishers 20 -q 1 --rate 10000",
             ("p50", "p99", "p999", "late", "cpu"), variants=SHARDS),

    _traffic("settings", "settings-pairs-q0", "50 pairs, QoS 0", f"{PAIRS} 50 -q 0", variants=INSTALLED),
    _traffic("settings", "settings-pairs-q1", "50 pairs, QoS 1", f"{PAIRS} 50 -q 1", variants=INSTALLED),
    _traffic("settings", "settings-fan-in-q1", "fan-in 50 → 1, QoS 1", "fan-in --size 256 -q 1 --window 20", variants=INSTALLED),
    Workload("settings-retained", "50,000 retained messages, QoS 1", "settings",
             "retained -q 1 --size 256 --count 50000 --publishers 4 --window 64 --keep",
             ("set_cpu", "set_rate", "get_cpu", "get_rate"), variants=INSTALLED),
    Workload("settings-storm", "5,000 connections at once, and once more", "settings",
             "storm --subscribers 5000 --rounds 2 --filters 1 --concurrency 512",
             ("connect_cpu", "connect_rate", "again_cpu", "again_rate"), variants=INSTALLED),

    Workload("soak", "clients come, subscribe, publish and go for {minutes} minutes", "soak", "", ("resident", "growth"),
             variants=(Variant("apus"),), kind="soak"),
]

# One after the other, again and again, until the time of the soak is over.
SOAK = [
    "storm --subscribers 500 --filters 2 --rounds 5 --concurrency 128",
    "pairs -q 1 --publishers 100 --count 200",
    "pairs -q 2 --publishers 100 --count 100",
    "fan-out -q 1 --subscribers 300 --count 50",
    "retained -q 1 --count 2000",
    "offline -q 1 --subscribers 50 --count 100",
]

SECTIONS = {
    "traffic": "Traffic",
    "latency": "Latency",
    "stored": "What is stored",
    "clients": "Many clients",
    "shards": "Shards",
    "settings": "Settings",
    "soak": "Soak",
}


def chosen(names):
    """The workloads of these names and of sections of these names; all for none."""
    if not names:
        return list(WORKLOADS)
    found = [workload for workload in WORKLOADS if workload.name in names or workload.section in names]
    known = {workload.name for workload in WORKLOADS} | set(SECTIONS)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no workload or section {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return found
