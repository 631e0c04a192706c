"""A run: clients of all manners around a broker that is killed again and again, then the drain and the verdict."""

import asyncio
import collections
import dataclasses
import os
import random
import time

from brokers import PATIENCE
from clients import SETTLING, Client, Publisher, Subscriber
from history import History, Message, Sight, check, key_of, payload_of

# What may trigger a kill, besides time: the n-th of these events, seen or done by a client.
EVENTS = [
    "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback", "unsubscribe", "unsuback", "delivery",
    "acknowledge", "connack",
]


@dataclasses.dataclass
class Plan:
    """How much a run does."""

    kills: int = 30
    seed: int = 0
    # Bursts of publishers, and pauses between kills, in seconds at most.
    pause: float = 0.35
    longest_life: float = 2.0
    # Give up after so many seconds, whatever has been killed by then.
    seconds: float = 600
    crowd: int = 20
    # Seconds without any progress after which nothing more is expected, while something is owed.
    stalled: float = PATIENCE * 0.6
    # Whether the broker keeps a log that can be looked into afterwards.
    keeps: bool = True


class Run:
    """What all clients share: the broker, the history, the random numbers, the trigger of the next kill."""

    def __init__(self, broker, plan):
        self.broker, self.plan = broker, plan
        self.history = History()
        self.random = self.random_for("run")
        self.events = collections.Counter()
        self.finish = asyncio.Event()
        # The broker is being killed or stopped, or has not come back.
        self.down = True
        self.progress = 0
        self.deliveries = 0
        self.kills = collections.Counter()
        self.kill_times = []
        self.stop_times = []
        self.notes = collections.deque(maxlen=1_000_000)
        self._trigger = None
        self._triggered = asyncio.Event()

    def random_for(self, name):
        return random.Random(f"{self.plan.seed}/{name}")

    @property
    def finishing(self):
        return self.finish.is_set()

    async def pause(self, seconds):
        """Sleeps, but not beyond the beginning of the end."""
        await self.either(None, seconds)

    async def either(self, event, seconds=None):
        """Until the event, the beginning of the end, or so many seconds."""
        waits = [asyncio.ensure_future(one.wait()) for one in (event, self.finish) if one]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def note(self, who, what, key=""):
        self.notes.append((time.monotonic(), who, what, key))

    def event(self, kind):
        """Counts, and strikes when this is what the next kill waits for."""
        self.events[kind] += 1
        if self._trigger == (kind, self.events[kind]):
            self.strike(kind)

    # Killing.

    def strike(self, reason):
        self._trigger = None
        if self.down:
            return
        self.down = True
        self.broker.strike()
        self.note("broker", f"KILLED at {reason}")
        self.kills[reason] += 1
        self.kill_times.append(time.monotonic())
        self._triggered.set()

    async def begin(self):
        await self.broker.start()
        self.down = False
        self.note("broker", "ready")

    async def life(self, longest):
        """One life of the broker, to a violent end at a random moment."""
        await self.begin()
        self._triggered.clear()
        kind = self.random.choice([*EVENTS, "files", "files", "files"]) if self.random.random() < 0.7 else None
        if kind == "files":
            waiting = self.files_changed(self.random.randint(1, 3))
        else:
            waiting = self._triggered.wait()
            if kind:
                self._trigger = (kind, self.events[kind] + self.random.randint(1, 20))
        try:
            async with asyncio.timeout(self.random.uniform(0.01, longest * 2 if kind else longest)):
                await self.watch(waiting)
        except TimeoutError:
            self.strike("time")
        await self.broker.process.wait()

    async def files_changed(self, times):
        """Strikes when a file of the broker has come or gone for the n-th time: it begins a segment, or gives one back."""
        def listing():
            return {os.path.join(folder, name) for folder, _, names in os.walk(self.broker.data) for name in names}

        for _ in range(times):
            before = listing()
            while listing() == before:
                await asyncio.sleep(0.002)
        await asyncio.sleep(self.random.choice((0, 0.001, 0.01)))
        self.strike("files")

    async def watch(self, waiting):
        """Waits; a broker that ends by itself is a fault of its own."""
        ended = asyncio.ensure_future(self.broker.process.wait())
        wanted = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait([ended, wanted], return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not self.down:
                self.down = True
                self.history.fault("crash", f"the broker ended by itself with {ended.result()}:\n{self.broker.logged(2000)}")
        finally:
            ended.cancel()
            wanted.cancel()

    async def chaos(self):
        """All kills of the plan; the broker is down afterwards."""
        deadline = time.monotonic() + self.plan.seconds
        while self.kills.total() < self.plan.kills and time.monotonic() < deadline:
            if self.random.random() < 0.15:
                # Into the recovery.
                await self.broker.spawn()
                await asyncio.sleep(self.random.uniform(0, 0.15))
                await self.broker.kill()
                self.kills["recovery"] += 1
                self.kill_times.append(time.monotonic())
            elif self.random.random() < 0.05:
                await self.graceful()
            else:
                await self.life(self.plan.longest_life)

    async def graceful(self):
        await self.begin()
        await asyncio.sleep(self.random.uniform(0, 0.5))
        self.down = True
        self.stop_times.append(time.monotonic())
        self.note("broker", "stopped")
        try:
            if status := await self.broker.stop():
                self.history.fault("crash", f"status {status} after SIGTERM:\n{self.broker.logged(2000)}")
        except AssertionError as error:
            self.history.fault("stuck", str(error))

    # The end.

    async def quiet(self, satisfied):
        """Until all that is owed has come, or nothing comes any more."""
        seen, since, wait = self.progress, time.monotonic(), 0.5
        while True:
            await asyncio.sleep(wait)
            if self.progress != seen:
                seen, since, wait = self.progress, time.monotonic(), 0.5
            elif satisfied() or time.monotonic() - since > self.plan.stalled:
                return
            else:
                wait = min(2 * wait, 4)


class Workload:
    """All clients of a run."""

    def __init__(self, run):
        self.run = run
        self.publishers = [Publisher(run, f"p{number}", version=(5, 4)[number % 2]) for number in range(6)]
        everything, some = "c/m/#", self.some
        self.subscribers = {
            # Manner, subscriber.
            "steady2": (self.steady, some("steady2", [(everything, 2), ("c/w/#", 2)])),
            "steady1": (self.steady, some("steady1", [(everything, 1), ("c/r/+", 1)], version=4)),
            "coming2": (self.coming, some("coming2", [("c/m/+/0", 2), ("c/m/+/1", 2), ("c/w/#", 1)], version=4)),
            "coming1": (self.coming, some("coming1", [(everything, 1)])),
            "clumsy2": (self.coming, some("clumsy2", [("c/m/+/2", 2), ("c/r/#", 2)], clumsiness=0.02, delay=0.01)),
            "rare2": (self.rare, some("rare2", [("c/m/+/2", 2), ("c/w/+", 2)])),
            "rare1": (self.rare, some("rare1", [("c/m/+/0", 1)], version=4)),
            "absent2": (self.absent, some("absent2", [("c/m/5/+", 2), ("c/w/+", 2)])),
            "slow2": (self.steady, some("slow2", [("c/m/+/1", 2)], receive_maximum=3, delay=0.05)),
            "slow1": (self.coming, some("slow1", [("c/m/+/3", 1)], version=4, delay=0.2)),
            "changing5": (self.changing, some("changing5", [("c/m/+/0", 2)])),
            "changing4": (self.changing, some("changing4", [("c/m/+/0", 1)], version=4)),
            "ending5": (self.ending, some("ending5", [("c/m/+/1", 2)])),
            "ending4": (self.ending, some("ending4", [("c/m/+/2", 1)], version=4)),
        }
        for number, manner in enumerate([self.steady, self.coming, self.coming]):
            name = f"member{number}"
            self.subscribers[name] = (manner, some(name, [("$share/group/c/m/+/1", 2)]))
        for number in range(run.plan.crowd):
            name = f"crowd{number}"
            self.subscribers[name] = (self.absent, some(name, [("c/f/+", 1 + number % 2)], version=4 + number % 2))
        self.wills = 0
        self.will_tasks = set()

    def some(self, name, filters, **more):
        return Subscriber(self.run, name, filters, **more)

    # Manners of subscribers.

    async def steady(self, subscriber):
        while not self.run.finishing:
            await subscriber.stay_connected()
            await self.run.either(subscriber.lost)
            await self.run.pause(subscriber.random.uniform(0, 0.2))

    async def coming(self, subscriber):
        dice = subscriber.random
        while not self.run.finishing:
            await subscriber.stay_connected()
            await self.run.pause(dice.uniform(0.02, 1.5))
            if dice.random() < 0.2:
                await subscriber.connect()
                continue
            subscriber.leave(politely=dice.random() < 0.5)
            await self.run.pause(dice.uniform(0, 1.5))

    async def rare(self, subscriber):
        dice = subscriber.random
        while not self.run.finishing:
            await self.run.pause(dice.uniform(2, 8))
            await subscriber.stay_connected()
            await self.run.pause(dice.uniform(0.5, 2))
            subscriber.leave(politely=dice.random() < 0.5)

    async def absent(self, subscriber):
        while not subscriber.settled:
            await subscriber.stay_connected()
            await asyncio.sleep(0.01)
        subscriber.leave(politely=True)

    async def changing(self, subscriber):
        dice = subscriber.random
        while not self.run.finishing:
            await subscriber.stay_connected()
            await self.run.pause(dice.uniform(0, 0.3))
            if subscriber.settled:
                optional = [one for one in subscriber.life.subscriptions[1:] if one.leaving is None]
                if optional and dice.random() < 0.6:
                    subscriber.unsubscribe(dice.choice(optional))
                else:
                    free = {f"c/m/{number}/3" for number in range(6)} - {one.filter for one in optional}
                    if free:
                        subscriber.subscribe(dice.choice(sorted(free)), subscriber.life.subscriptions[0].qos)

    async def ending(self, subscriber):
        dice = subscriber.random
        while not self.run.finishing:
            await subscriber.stay_connected()
            await self.run.pause(dice.uniform(0.1, 2))
            if dice.random() < 0.4 and subscriber.settled:
                await subscriber.end_session()

    # Publishers.

    async def publishing(self, number, publisher):
        dice = publisher.random
        once = 0
        while not self.run.finishing:
            for _ in range(dice.randint(1, 20)):
                topic, retain, clears, size = f"c/m/{number}/{dice.randrange(4)}", False, False, self.size(dice)
                kind = dice.random()
                if kind < 0.03:
                    topic, size = f"c/f/{number}", 100
                elif kind < 0.06:
                    topic, retain, clears = f"c/r/{number}", True, dice.random() < 0.2
                elif kind < 0.08:
                    once += 1
                    topic, retain = f"c/r/{number}/{once}", True
                # One QoS for what is retained: between those of different QoS there is no order, so no last one.
                qos = 1 + number % 2 if retain else dice.choice((1, 2))
                await publisher.publish(topic, qos, size, retain=retain, clears=clears)
            if dice.random() < 0.03:
                publisher.leave(politely=dice.random() < 0.5)
            await self.run.pause(dice.uniform(0, self.run.plan.pause))
        await publisher.finish()

    @staticmethod
    def size(dice):
        kind = dice.random()
        return dice.randint(0, 200) if kind < 0.7 else dice.randint(200, 8000) if kind < 0.92 else dice.randint(8000, 100_000)

    # Wills.

    async def willing(self):
        """Clients with delayed wills, one after the other; some die, some come back, some leave in peace."""
        dice = self.run.random_for("wills")
        while not self.run.finishing:
            task = asyncio.ensure_future(self.one_will(dice))
            self.will_tasks.add(task)
            task.add_done_callback(self.will_tasks.discard)
            await self.run.pause(dice.uniform(0.1, 0.8))

    async def one_will(self, dice):
        self.wills += 1
        name, delay, manner = f"w{self.wills}", dice.randint(1, 3), dice.random()
        client = Client(self.run, name)
        topic, payload = f"c/w/{self.wills % 3}", payload_of(f"{name}:0", 30)
        message = Message(name, 0, topic, dice.choice((1, 2)), self.run.history.now)
        self.run.history.publish(message)
        if not await client.connect(will=Will(topic, payload, message.qos, delay)):
            return
        if manner < 0.6:
            # Either soon, or when the broker dies.
            await self.run.either(client.lost, dice.uniform(0, 1) if manner < 0.35 else None)
            client.leave(politely=False)
            lost = time.monotonic()
            # Whoever is connected while the broker stops gracefully has not failed.
            await asyncio.sleep(SETTLING)
            message.promised = not self.near(self.run.stop_times, lost)
        elif manner < 0.8:
            client.leave(politely=False)
            left = time.monotonic()
            await asyncio.sleep(dice.uniform(0, 0.3))
            back = await client.connect()
            taken_back = time.monotonic()
            if back:
                await asyncio.sleep(SETTLING)
                client.leave(politely=True)
                if taken_back - left < delay - 0.2 and not self.near(self.run.kill_times, taken_back):
                    message.forbidden = True
        else:
            gone = time.monotonic()
            client.leave(politely=True)
            await asyncio.sleep(SETTLING)
            message.forbidden = not self.near(self.run.kill_times, gone)

    @staticmethod
    def near(times, moment):
        return any(moment - SETTLING < time < moment + SETTLING for time in times)

    # Retained messages.

    async def look(self):
        """What a new client gets; waits for what must come, then a little longer."""
        history = self.run.history
        watcher = Subscriber(self.run, f"watcher{len(history.sights)}", [("c/r/#", 1)])
        begun = history.now
        await watcher.stay_connected()
        expected = {topic for topic, messages in history.by_topic.items() if messages[-1].retain and not messages[-1].clears}
        deadline = time.monotonic() + self.run.plan.stalled
        values = {}
        while time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            values = {history.messages[one.key].topic: one.key for one in watcher.life.deliveries if one.key in history.messages}
            if expected <= values.keys():
                break
        history.sights.append(Sight("c/r/#", begun, history.now, values))
        watcher.life.ended = True
        watcher.leave(politely=True)

    # The whole run.

    async def execute(self):
        """Everything to its end; the faults."""
        run = self.run
        await run.begin()
        setup = [asyncio.ensure_future(self.absent(subscriber)) for _, subscriber in self.subscribers.values()]
        await asyncio.gather(*setup)
        tasks = [asyncio.ensure_future(self.publishing(number, one)) for number, one in enumerate(self.publishers)]
        tasks += [asyncio.ensure_future(manner(one)) for manner, one in self.subscribers.values() if manner != self.absent]
        tasks.append(asyncio.ensure_future(self.willing()))
        if run.plan.kills:
            await self.kill_at_once()
            await run.chaos()
            await run.begin()
        else:
            await asyncio.sleep(run.plan.seconds)
        run.finish.set()
        await self.settle(tasks)
        await self.quiet()
        if run.plan.kills:
            # Once more: nothing that is finished may come again, and everybody is still subscribed.
            await self.kill_at_once()
            await run.begin()
            await self.settle([])
        await self.look()
        for number, publisher in enumerate(self.publishers):
            for topic in [f"c/m/{number}/{place}" for place in range(4)] + [f"c/f/{number}"]:
                for qos in (1, 2):
                    await publisher.publish(topic, qos, 10)
        await asyncio.gather(*[publisher.finish() for publisher in self.publishers])
        await self.quiet()
        return check(run.history)

    async def kill_at_once(self):
        self.run.strike("time")
        await self.run.broker.process.wait()

    async def settle(self, tasks):
        """Everybody is connected, nobody does anything new."""
        await asyncio.gather(*tasks)
        await asyncio.gather(*self.will_tasks)
        for _, subscriber in self.subscribers.values():
            subscriber.answer_all()
        await asyncio.gather(*[one.stay_connected() for _, one in self.subscribers.values()])

    async def quiet(self):
        await self.run.quiet(lambda: not any(fault.kind.startswith("lost") for fault in check(self.run.history)))


@dataclasses.dataclass(frozen=True)
class Will:
    topic: str
    payload: bytes
    qos: int
    delay: int
