"""A server as its client sees it through a bad network: a TCP proxy that can fall silent, without touching the server."""

import socket
import threading
import time


class Proxy:
    """Passes bytes on to `target` (host:port), until told otherwise. `silent` from the start on if so asked; with a `rate`,
    so many bytes a second in each direction of a connection.

    A silent proxy is what a frozen server is: it takes connections (the kernel does) and bytes, and answers nothing."""

    def __init__(self, target, silent=False, rate=None):
        host, port = target.split(":")
        self.target = (host, int(port))
        self.rate = rate
        self.open = threading.Event()
        if not silent:
            self.open.set()
        self.sockets = []
        self.ended = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self.open.clear()

    def thaw(self):
        self.open.set()

    def close(self):
        self.ended = True
        self.open.set()
        for each in (self.listener, *self.sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # Its other side was first.
            each.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        self.open.wait()
        if self.ended:
            return
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self.sockets.append(server)
        for pair in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, sink):
        try:
            while data := source.recv(65536):
                self.open.wait()
                if self.rate:
                    time.sleep(len(data) / self.rate)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # One side has gone: so does the other.
        finally:
            if self.ended:
                sink.close()
