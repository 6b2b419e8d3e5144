"""The proxy does to a connection what it says. The server here is a few lines of Python: it echoes, or collects."""

import socket
import threading
import time

import pytest
from proxy import DOWN, UP, Proxy
from servers import eventually

DEADLINE_S = 20
SHORT_S = 0.3  # So long nothing comes where nothing is to come.


class Server:
    """Echoes what it is sent, and keeps it. `ends` holds how each connection ended."""

    def __init__(self):
        self.received, self.ends, self.pieces = bytearray(), [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                taken, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(taken,), daemon=True).start()

    def _echo(self, taken):
        with taken:
            try:
                while data := taken.recv(65536):
                    self.received += data
                    self.pieces.append(len(data))
                    taken.sendall(data)
                self.ends.append("end")
            except ConnectionResetError:
                self.ends.append("reset")
            except OSError:
                self.ends.append("gone")

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def server():
    found = Server()
    yield found
    found.close()


@pytest.fixture
def proxy(server):
    found = Proxy(server.address)
    yield found
    found.close()


@pytest.fixture
def connect(proxy):
    made = []

    def make():
        made.append(socket.create_connection(proxy.address.split(":"), timeout=DEADLINE_S))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answer(client, size):
    found = bytearray()
    while len(found) < size:
        data = client.recv(size - len(found))
        assert data, f"the connection ended after {found[-40:]!r}"
        found += data
    return found


def ask(client, data):
    client.sendall(data)
    return answer(client, len(data))


def is_silent(client):
    client.settimeout(SHORT_S)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(DEADLINE_S)


def seconds(what, *arguments):
    began = time.monotonic()
    what(*arguments)
    return time.monotonic() - began


def test_all_bytes_and_the_end_pass(server, connect):
    client = connect()
    sent = bytes(range(256)) * 40_000
    writer = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)))
    writer.start()
    assert answer(client, len(sent)) == sent
    assert client.recv(1) == b""
    writer.join(DEADLINE_S)
    assert server.ends == ["end"]


def test_latency_delays_each_direction_and_does_not_throttle(proxy, connect):
    client = connect()
    proxy.set(UP, latency_s=0.3)
    assert 0.3 <= seconds(ask, client, b"x") < 0.6
    proxy.set(DOWN, latency_s=0.3)
    assert 0.6 <= seconds(ask, client, b"x") < 1.2
    # Sixteen pieces one after the other: they are on their way together.
    began = time.monotonic()
    for _ in range(16):
        client.sendall(b"y" * 1000)
        time.sleep(0.01)  # Not to synchronise: it makes pieces of them.
    answer(client, 16_000)
    assert time.monotonic() - began < 2
    proxy.heal()
    assert seconds(ask, client, b"x") < 0.3


def test_throttle_bounds_the_bytes_of_a_second(proxy, connect):
    proxy.set(UP, bytes_per_s=100_000)
    assert 0.9 <= seconds(ask, connect(), b"x" * 100_000) < 3


def test_slicer_sends_tiny_pieces(proxy, server, connect):
    proxy.set(UP, slice_bytes=3)
    sent = bytes(range(250))
    assert ask(connect(), sent) == sent
    assert len(server.pieces) > 20  # The kernel may join some.


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_cut_and_reset_end_connections_and_may_refuse_new_ones(proxy, server, connect, how):
    client = connect()
    ask(client, b"x")
    getattr(proxy, how)(refuse=True)
    if how == "reset":
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    else:
        assert client.recv(1) == b""
    eventually(lambda: server.ends == [{"cut": "end", "reset": "reset"}[how]], DEADLINE_S, "the server hears of it")
    with pytest.raises(OSError):
        ask(connect(), b"x")
    proxy.heal()
    assert ask(connect(), b"x") == b"x"


def test_a_silent_proxy_takes_connections_and_answers_when_thawed(proxy, server, connect):
    old = connect()
    ask(old, b"x")
    proxy.freeze()
    new = connect()
    for client in (old, new):
        client.sendall(b"waits")
        assert is_silent(client)
    assert server.received == b"x"
    proxy.thaw()
    for client in (old, new):
        assert answer(client, 5) == b"waits"


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_dropped_direction_is_half_open(proxy, server, connect, direction):
    client = connect()
    ask(client, b"before")
    proxy.set(direction, drop=True)
    client.sendall(b"lost")
    assert is_silent(client)
    assert server.received == (b"before" if direction == UP else b"beforelost")
    client.shutdown(socket.SHUT_WR)
    if direction == UP:
        assert is_silent(client) and server.ends == []
    proxy.heal()
    assert ask(connect(), b"x") == b"x"


def test_a_pattern_is_found_though_it_comes_in_pieces_and_counted_over_connections(proxy, connect):
    rule = proxy.when(b"COMMIT", "cut", nth=3)
    first, second = connect(), connect()
    ask(first, b"COMM")
    ask(first, b"IT;COM")
    ask(second, b"MIT")  # Another connection: not the rest of the first one's.
    ask(first, b"MIT")
    assert (rule.seen, rule.fired) == (2, 0)
    second.sendall(b"COMMIT")
    eventually(lambda: rule.fired == 1, DEADLINE_S, "it fires at the third")
    while second.recv(100):
        pass
    assert ask(first, b"COMMIT") == b"COMMIT"
    assert (rule.seen, rule.fired) == (4, 1)


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_what_the_server_gets_before_a_cut_includes_the_pattern(proxy, server, connect, how):
    rule = proxy.when(b"COMMIT", how)
    client = connect()
    client.sendall(b"a COMMIT b")
    with pytest.raises(OSError):
        while client.recv(100):
            pass
        raise ConnectionError("ended")
    assert rule.fired == 1
    if how == "cut":  # A reset may overtake what was sent before it.
        eventually(lambda: server.received == b"a COMMIT b", DEADLINE_S, "the server has it")


@pytest.mark.parametrize("hang_up", [False, True])
def test_a_dropped_reply_leaves_the_request_done(proxy, server, connect, hang_up):
    rule = proxy.when(b"COMMIT", "drop_reply", hang_up=hang_up)
    client = connect()
    client.sendall(b"COMMIT")
    eventually(lambda: server.received == b"COMMIT", DEADLINE_S, "the server has it")
    assert client.recv(1) == b"" if hang_up else is_silent(client)
    assert rule.fired == 1
    assert ask(connect(), b"COMMIT") == b"COMMIT"


@pytest.mark.parametrize("hang_up", [False, True])
def test_a_dropped_request_never_arrives(proxy, server, connect, hang_up):
    rule = proxy.when(b"COMMIT", "drop_request", hang_up=hang_up)
    client = connect()
    ask(client, b"begin")
    client.sendall(b"COMMIT")
    assert client.recv(1) == b"" if hang_up else is_silent(client)
    assert server.received == b"begin" and rule.fired == 1


@pytest.mark.parametrize("hang_up", [False, True])
def test_a_delayed_request_arrives_late_though_its_sender_is_gone(proxy, server, connect, hang_up):
    rule = proxy.when(b"COMMIT", "delay", seconds=1.0, hang_up=hang_up)
    client = connect()
    began = time.monotonic()
    client.sendall(b"COMMIT")
    eventually(lambda: rule.fired == 1, DEADLINE_S, "it fires")
    client.close()
    assert ask(connect(), b"other") == b"other"  # Others are not delayed.
    eventually(lambda: server.received == b"otherCOMMIT", DEADLINE_S, "it arrives")
    assert time.monotonic() - began >= 1.0


def test_a_pattern_in_the_servers_answer(proxy, connect):
    rule = proxy.when(b"done", "drop_request", direction=DOWN)
    client = connect()
    ask(client, b"go")
    client.sendall(b"done")
    assert is_silent(client)
    assert rule.fired == 1


def test_nothing_is_left_open(proxy, connect):
    clients = [connect() for _ in range(3)]
    for client in clients:
        ask(client, b"x")
    proxy.close()
    assert [client.recv(1) for client in clients] == [b""] * 3
    assert not proxy.thread.is_alive() and not proxy.links
