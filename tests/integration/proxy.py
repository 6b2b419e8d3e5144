"""A server as its client sees it through a bad network: a TCP proxy that delays, cuts, resets, drops and falls silent.

    proxy = Proxy("127.0.0.1:25432")              # clients connect to proxy.address
    proxy.set(latency_s=0.2, bytes_per_s=10_000)  # both directions, or one of UP and DOWN; proxy.heal() ends it all
    proxy.cut(); proxy.reset(); proxy.freeze(); proxy.thaw()
    rule = proxy.when(b"COMMIT", "drop_reply", nth=3, hang_up=True)
    … eventually(lambda: rule.fired)

One thread of its own; every method may be called from any other."""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

UP, DOWN = "up", "down"  # From the client to the server, and back.
ACTIONS = ("cut", "reset", "drop_reply", "drop_request", "delay")
CHUNK_BYTES = 65536
CHUNKS_MAX = 16  # Held back in one direction of one connection; then its sender is no longer read.
CONNECT_S = 10
CALL_S = 10


@dataclass
class Toxics:
    """What is done to the bytes of one direction."""
    latency_s: float = 0.0
    bytes_per_s: int = 0  # 0: as fast as they come.
    slice_bytes: int = 0  # Sent in pieces of so many bytes; 0: as they come.
    drop: bool = False  # Nothing arrives, an end neither: half-open.


@dataclass
class Rule:
    """What is done when a pattern passes. `seen` and `fired` count, on all connections together."""
    pattern: bytes
    action: str
    direction: str
    nth: int
    times: int
    seconds: float
    hang_up: bool
    seen: int = 0
    fired: int = 0

    def fires(self, occurrences):
        self.seen += occurrences
        if not occurrences or self.fired == self.times or self.seen < self.nth:
            return False
        self.fired += 1
        return True


class Link:
    """A connection of a client and the one to the server behind it."""

    def __init__(self, client):
        self.client, self.server = client, None
        self.serving = None  # The task that owns both; it closes them as it ends.
        self.abruptly = self.hung_up = False
        self.dropped = set()  # Directions in which nothing passes any more.
        self.tails = {}  # What has passed last, in which a pattern may begin; by rule.

    def end(self, abruptly=False):
        self.abruptly = self.abruptly or abruptly
        self.serving.cancel()

    def hang_up(self):
        self.hung_up = True
        self.dropped.add(DOWN)
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)

    def occurrences(self, rule, data):
        seen = self.tails.get(id(rule), b"") + data
        keep = len(rule.pattern) - 1
        self.tails[id(rule)] = seen[-keep:] if keep else b""
        return seen.count(rule.pattern)

    def close(self):
        for each in (self.client, self.server):
            if each is not None:
                close(each, self.abruptly)


def close(end, abruptly):
    with suppress(OSError):
        if abruptly:  # No time to linger: the kernel sends RST.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


class Proxy:
    """Passes bytes on to `target` (host:port), until told otherwise. `silent` from the start on if so asked.

    A silent proxy is what a frozen server is: it takes connections (the kernel does) and bytes, and answers nothing."""

    def __init__(self, target, silent=False):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.toxics = {UP: Toxics(), DOWN: Toxics()}
        self.rules, self.links = [], set()
        self.refusing = False
        self.connections = 0  # Taken so far.
        self.open = asyncio.Event()
        if not silent:
            self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.setblocking(False)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True, name="proxy " + target)
        self.thread.start()

    def set(self, direction=None, **toxics):
        """Toxics of one direction, or of both; those that are not named stay as they are."""
        for each in (UP, DOWN) if direction is None else (direction,):
            for name, value in toxics.items():
                assert name in Toxics.__annotations__, name
                setattr(self.toxics[each], name, value)

    def when(self, pattern, action, direction=UP, nth=1, times=1, seconds=0.0, hang_up=False):
        """As the n-th occurrence of `pattern` passes, and at the next times - 1 that do:

        cut, reset     it is passed on, then the connection ends on both sides
        drop_reply     it is passed on; nothing passes in the other direction any more
        drop_request   it does not pass, nor does anything after it, not even the end
        delay          it passes after `seconds`, though its sender may be gone by then

        With `hang_up` the client's side is closed at once, so that it need not wait for a deadline of its own."""
        assert action in ACTIONS, action
        assert pattern and nth > 0 and times > 0
        rule = Rule(pattern, action, direction, nth, times, seconds, hang_up)
        self._call(lambda: self.rules.append(rule))
        return rule

    def heal(self):
        """No toxics, no rules, open to all. Connections that lost bytes stay as they are."""
        def heal():
            self.toxics = {UP: Toxics(), DOWN: Toxics()}
            self.rules.clear()
            self.refusing = False
            self.open.set()
        self._call(heal)

    def cut(self, refuse=False):
        """Ends all connections; `refuse` ends new ones too, until `heal`."""
        self._end_links(refuse, abruptly=False)

    def reset(self, refuse=False):
        """As `cut`, by RST."""
        self._end_links(refuse, abruptly=True)

    def freeze(self):
        self._call(self.open.clear)

    def thaw(self):
        self._call(self.open.set)

    def close(self):
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(CALL_S)
        assert not self.thread.is_alive(), "the proxy ends"

    # What follows runs on the proxy's own thread.

    def _run(self):
        accepting = self.loop.create_task(self._accept())
        self.loop.run_forever()
        accepting.cancel()
        self.loop.run_until_complete(self._end_all())
        self.loop.run_until_complete(asyncio.gather(accepting, return_exceptions=True))
        self.listener.close()
        self.loop.close()

    def _call(self, what):
        async def call():
            what()
        asyncio.run_coroutine_threadsafe(call(), self.loop).result(CALL_S)

    def _end_links(self, refuse, abruptly):
        self.refusing = self.refusing or refuse
        asyncio.run_coroutine_threadsafe(self._end_all(abruptly), self.loop).result(CALL_S)

    async def _end_all(self, abruptly=False):
        ending = [link.serving for link in self.links]
        for link in self.links:
            link.end(abruptly)
        await asyncio.gather(*ending, return_exceptions=True)

    async def _accept(self):
        while True:
            client, _ = await self.loop.sock_accept(self.listener)
            self.connections += 1
            if self.refusing:
                close(client, abruptly=True)
                continue
            link = Link(client)
            link.serving = self.loop.create_task(self._serve(link))
            self.links.add(link)

    async def _serve(self, link):
        tasks = []
        try:
            await self.open.wait()
            link.server = socket.socket()
            for each in (link.client, link.server):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(CONNECT_S):  # wait_for may swallow a cancellation (CPython issue 86296).
                await self.loop.sock_connect(link.server, self.target)
            ways = []
            for direction, source, sink in ((UP, link.client, link.server), (DOWN, link.server, link.client)):
                held = asyncio.Queue(CHUNKS_MAX)
                tasks.append(self.loop.create_task(self._read(direction, source, held)))
                ways.append(self.loop.create_task(self._pass_on(link, direction, held, sink)))
            tasks += ways
            await asyncio.gather(*ways)
        except OSError:
            pass  # One side has gone: so does the other.
        finally:
            self.links.discard(link)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            link.close()

    async def _pass_on(self, link, direction, held, sink):
        while item := await held.get():
            due, data = item
            await asyncio.sleep(due - self.loop.time())
            await self.open.wait()
            await self._treat(link, direction, sink, data)
        if self._is_dropped(link, direction) and not (link.hung_up and direction == DOWN):
            await asyncio.Event().wait()  # Half-open: the other side does not learn of the end.
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    async def _read(self, direction, source, held):
        data = b"begun"
        while data:
            try:
                data = await self.loop.sock_recv(source, CHUNK_BYTES)
            except OSError:
                data = b""  # Gone: what it has sent before is still passed on.
            await held.put((self.loop.time() + self.toxics[direction].latency_s, data) if data else None)

    def _is_dropped(self, link, direction):
        return direction in link.dropped or self.toxics[direction].drop

    async def _treat(self, link, direction, sink, data):
        if self._is_dropped(link, direction):
            return
        fired = [rule for rule in self.rules
                 if rule.direction == direction and rule.fires(link.occurrences(rule, data))]
        rule = fired[0] if fired else None
        if rule and rule.action == "drop_request":
            link.dropped.add(direction)
        if rule and rule.action == "drop_reply":
            link.dropped.add(DOWN if direction == UP else UP)
        if rule and rule.hang_up:
            link.hang_up()
        if rule and rule.action == "delay":
            await asyncio.sleep(rule.seconds)
        if direction not in link.dropped:
            await self._send(link, direction, sink, data)
        if rule and rule.action in ("cut", "reset"):
            link.end(abruptly=rule.action == "reset")

    async def _send(self, link, direction, sink, data):
        toxics = self.toxics[direction]
        size = toxics.slice_bytes or (max(1, toxics.bytes_per_s // 20) if toxics.bytes_per_s else len(data))
        for at in range(0, len(data), size):
            piece = data[at:at + size]
            try:
                await self.loop.sock_sendall(sink, piece)
            except OSError:
                # A client that has gone is no reason to keep from the server what is still on its way there.
                if direction == UP:
                    raise
                link.dropped.add(direction)
                return
            if toxics.bytes_per_s:
                await asyncio.sleep(len(piece) / toxics.bytes_per_s)
            elif toxics.slice_bytes:
                await asyncio.sleep(0.001)  # Or the kernel joins them.
