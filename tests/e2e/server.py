"""Starts `glm5 serve` on a free port and talks to it. Standard library only."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.path.join(ROOT, "models", "glm5-nano")


class Server:
    def __init__(self, binary, *flags, model=MODEL):
        self.process = subprocess.Popen([binary, "serve", model, "--port", "0", *flags], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.output = ""
        self.port = None
        self._started = threading.Event()
        self._ready = threading.Event()
        self._readers = [threading.Thread(target=self._read_log), threading.Thread(target=self._read_output)]
        for reader in self._readers:
            reader.start()

    def _read_log(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            found = re.search(r"Starting glm5 server on http://[^ ]*:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                self._started.set()
            if "Application startup complete." in line:
                self._ready.set()
        self._started.set()
        self._ready.set()

    def _read_output(self):
        self.output = self.process.stdout.read()

    def wait_ready(self, seconds=120):
        if not self._ready.wait(seconds) or self.process.poll() is not None or self.port is None:
            self.process.kill()
            raise RuntimeError("the server did not start:\n" + "\n".join(self.lines))
        return self

    def connect(self, timeout=300):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, bytes)"""
        connection = self.connect()
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, response.headers, data

    def post(self, path, body, **headers):
        status, _, data = self.request("POST", path, body, headers)
        return status, json.loads(data)

    def stream(self, path, body):
        """The events of a stream, as (list of JSON chunks, whether [DONE] came last)."""
        status, headers, data = self.request("POST", path, dict(body, stream=True))
        assert status == 200, (status, data)
        assert headers["Content-Type"].startswith("text/event-stream"), headers
        events = [block for block in data.decode().split("\n\n") if block and not block.startswith(":")]
        assert all(event.startswith("data: ") and "\n" not in event for event in events), events
        done = events and events[-1] == "data: [DONE]"
        return [json.loads(event[6:]) for event in events if event != "data: [DONE]"], bool(done)

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def stop(self, seconds=60):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.join(seconds)

    def join(self, seconds=60):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
