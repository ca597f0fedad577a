#!/usr/bin/env python3
"""Bytes that no client should send. Whatever comes, the server refuses it cheaply, answers nobody else's request, and
goes on serving. GLM5_BINARY names the binary. Standard library only."""
import json
import os
import random
import re
import resource
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, wait_until  # noqa: E402

BINARY = os.path.abspath(os.environ["GLM5_BINARY"])
CHAT = b"/v1/chat/completions"
NGINX = "nginx-light: nginx web/proxy server (basic version)."
QUESTION = json.dumps({"messages": [{"role": "user", "content": "What is nginx-light?"}], "temperature": 0,
                       "chat_template_kwargs": {"enable_thinking": False}}).encode()
MEBIBYTE = 1 << 20


def post(body, headers=b"", length=None):
    length = len(body) if length is None else length
    return (b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" %
            (CHAT, headers, length, body))


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--disable-access-log").wait_ready()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.lines[-5:]

    def tearDown(self):
        status, answer = self.server.post(CHAT.decode(), json.loads(QUESTION))
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, NGINX))

    def exchange(self, data, half_close=False):
        """What comes back for `data`, until the server closes or has nothing more to say."""
        received = b""
        with self.server.raw() as client:
            client.settimeout(20)
            try:
                client.sendall(data)
                if half_close:
                    client.shutdown(socket.SHUT_WR)
                while block := client.recv(65536):
                    received += block
                    client.settimeout(0.3)
            except OSError:  # reset, or silence
                pass
        return received

    def statuses(self, received):
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]

    def refused(self, data, *statuses):
        received = self.exchange(data)
        self.assertEqual(len(self.statuses(received)), 1, received[:300])
        self.assertIn(self.statuses(received)[0], statuses)
        error = json.loads(received.split(b"\r\n\r\n", 1)[1])["error"]
        self.assertEqual(error["code"], self.statuses(received)[0])

    def test_random_bytes(self):
        chosen = random.Random(5)
        for i in range(300):
            data = chosen.randbytes(chosen.choice((1, 10, 100, 1000, 20000)))
            if i % 3 == 1:  # a request that is damaged in some bytes
                data = bytearray(post(QUESTION))
                for _ in range(chosen.choice((1, 3, 10))):
                    data[chosen.randrange(len(data))] = chosen.randrange(256)
            elif i % 3 == 2:  # a good start and noise
                data = b"POST %s HTTP/1.1\r\nHost: x\r\n" % CHAT + data
            self.assertLessEqual(len(self.statuses(self.exchange(bytes(data), half_close=True))), 2)

    def test_random_json_values(self):
        chosen = random.Random(6)

        def value(depth):
            kinds = (None, True, -1, 0, 1e308, 2**63, "", "\ud83d", "x" * 100, [], {})
            if depth == 0 or chosen.random() < 0.3:
                return chosen.choice(kinds)
            if chosen.random() < 0.5:
                return [value(depth - 1) for _ in range(chosen.randrange(4))]
            return {chosen.choice(("role", "content", "type", "text", "5", "")): value(depth - 1) for _ in range(3)}

        fields = ("messages", "prompt", "stop", "n", "temperature", "seed", "logit_bias", "stream", "stream_options",
                  "tools", "tool_choice", "response_format", "chat_template_kwargs", "max_tokens", "stop_token_ids")
        for path in ("/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize"):
            for _ in range(60):
                body = {name: value(3) for name in chosen.sample(fields, 3)}
                if "completions" in path:
                    body["max_tokens"] = 1
                    body.pop("stream", None)
                status, _, data = self.server.request("POST", path, body)
                self.assertIn(status, (200, 400), body)
                json.loads(data)

    def test_headers(self):
        self.refused(b"GET /health HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431)
        self.refused(b"GET /health HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(300)) + b"\r\n", 431)
        self.refused(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431)
        self.refused(b"GET /health HTTP/1.1\r\nBad Name: 1\r\n\r\n", 400)
        self.refused(b"GET /health HTTP/3.7\r\n\r\n", 400)
        self.refused(b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400)
        self.refused(b"GET /health HTTP/1.1\r\nX: a\0b\r\n\r\n", 400)

    def test_content_length(self):
        for length in (b"-1", b"abc", b"1e3", b"0x10", b"5 5", b"", b"+5", b"99999999999999999999999"):
            self.refused(b"POST %s HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n{}" %
                         (CHAT, length), 400, 413)
        self.assertEqual(self.statuses(self.exchange(post(b"{", length=100), half_close=True)), [])  # less than announced: no request
        received = self.exchange(post(QUESTION, length=len(QUESTION) - 1) + b"\r\n")  # more: the rest is no request
        self.assertEqual(self.statuses(received)[0], 400)

    def test_request_smuggling(self):
        hidden = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        chunked = b"0\r\n\r\n" + hidden
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % CHAT
        for fields in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
                       b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + chunked,
                       b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden,
                       b"Content-Length: 0, %d\r\n\r\n" % len(hidden) + hidden,
                       b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
                       b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunked,
                       b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
                       b"Transfer-Encoding : chunked\r\n\r\n" + chunked,
                       b"Content-Length : 5\r\n\r\n" + hidden,
                       b"X: y\nContent-Length: 5\r\n\r\n" + hidden,  # bare LF
                       b"X: y\rContent-Length: 5\r\n\r\n" + hidden,
                       b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + hidden,
                       b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + hidden,
                       b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n" + hidden):
            received = self.exchange(head + fields)
            self.assertNotIn(b'"version"', received, fields)
            self.assertTrue(all(400 <= status < 500 for status in self.statuses(received)), (fields, received[:200]))
            self.assertLessEqual(len(self.statuses(received)), 1, (fields, received))

    def test_folded_lines_are_one_value(self):
        # RFC 9112 5.2: a line that begins with a space continues the value before it, so it announces no body.
        hidden = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % CHAT
        received = self.exchange(head + b"X: y\r\n Content-Length: %d\r\n\r\n" % len(hidden) + hidden)
        self.assertIn(self.statuses(received), ([400], [400, 200]))

    def test_deep_and_wide_json(self):
        for body in (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000,
                     b'{"messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", b"[" + b"0," * 5_000_000 + b"0]",
                     b'"' + b"\\u0000" * 100_000 + b'"', b"1" * 1_000_000, b'{"messages": "\xff"}', b"", b" " * 1000):
            self.refused(post(body), 400)

    def test_large_bodies(self):
        self.refused(post(b"", length=64 * MEBIBYTE + 1), 413)
        self.refused(post(b"", length=1 << 60), 413)
        block = b"100000\r\n" + b"x" * MEBIBYTE + b"\r\n"
        received = b""
        with self.server.raw() as client:  # chunks without an announced length
            try:
                client.sendall(b"POST %s HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" % CHAT)
                for _ in range(70):
                    client.sendall(block)
                while data := client.recv(65536):
                    received += data
            except OSError:
                pass
        self.assertIn(self.statuses(received), ([413], []))  # a reset can overtake the answer
        with self.server.raw() as client:  # the whole size is taken
            client.sendall(post(b" " * (64 * MEBIBYTE - 2) + b"{}"))
            self.assertIn(b" 400 ", client.recv(4096))

    def test_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        clients = []
        try:
            for i in range(500):
                client = self.server.raw()
                if i % 2:
                    client.sendall(post(QUESTION)[:i])  # a part of a request
                clients.append(client)
            start = time.monotonic()
            status, _ = self.server.post(CHAT.decode(), json.loads(QUESTION))
            self.assertEqual(status, 200)
            self.assertLess(time.monotonic() - start, 10)
        finally:
            for client in clients:
                client.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_pipelined_requests_are_answered_in_order(self):
        body = b"GET /version HTTP/1.1\r\n\r\n" * 20 + post(QUESTION) + b"GET /nothing HTTP/1.1\r\n\r\n"
        with self.server.raw() as client:
            client.sendall(body)
            received = b""
            while len(self.statuses(received)) < 22 or not received.endswith(b"}"):
                received += client.recv(65536)
        self.assertEqual(self.statuses(received), [200] * 21 + [404])

    def test_memory_returns(self):
        def resident_mib():
            with open(f"/proc/{self.server.process.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * resource.getpagesize() / MEBIBYTE

        self.refused(post(b'"' + b"x" * (60 * MEBIBYTE)  + b'"'), 400)
        before = resident_mib()
        for _ in range(4):
            self.refused(post(b'"' + b"x" * (60 * MEBIBYTE) + b'"'), 400)
        self.assertTrue(wait_until(lambda: resident_mib() < before + 100, 10), (before, resident_mib()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
