"""What a run tells of itself by HTTP."""

import http.client
import re
import socket
from contextlib import closing

SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z]+)="([^"]*)"')


def free_address():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Pages:
    def __init__(self, address):
        self.address = address

    def get(self, path, method="GET", headers=None):
        with closing(http.client.HTTPConnection(self.address, timeout=10)) as connection:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers

    def ready(self):
        status, body, _ = self.get("/readyz")
        return status, body

    def samples(self):
        """{(name, (label values in the order of their names)): value}"""
        status, body, headers = self.get("/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        found = {}
        for line in body.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                found[name, tuple(value for _, value in sorted(LABEL.findall(labels or "")))] = float(value)
        return found

    def value(self, name, *labels):
        return self.samples().get((name, labels))

    def connect(self):
        host, port = self.address.split(":")
        return socket.create_connection((host, int(port)), timeout=10)
