#!/usr/bin/env python3
"""Many requests at once, and what they leave behind: nothing but the prefix cache. GLM5_BINARY names the binary.
Standard library only."""
import concurrent.futures
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, wait_until  # noqa: E402

BINARY = os.path.abspath(os.environ["GLM5_BINARY"])
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
PAGE_TOKENS = 64
NUM_STREAMS = 256


class LoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--disable-access-log").wait_ready()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.lines[-5:]

    def loads(self):
        answer = json.loads(self.server.request("GET", "/v1/loads")[2])
        [rank] = answer["loads"]
        return answer["server_load"], rank["num_running_reqs"], rank["num_waiting_reqs"], rank["num_used_pages"]

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.loads() == (0, 0, 0, 0), 20), self.loads())

    def test_256_streams_at_once(self):
        def body(i):
            return {"prompt": [300 + (i * j) % 1000 for j in range(1, 40 + i % 60)], "max_tokens": 12, "temperature": 0,
                    "ignore_eos": True, "return_token_ids": True, "stream_options": {"include_usage": True}}

        start = threading.Barrier(NUM_STREAMS)

        def stream(i):
            start.wait()
            chunks, done = self.server.stream(COMPLETIONS, body(i))
            tokens = [token for chunk in chunks if chunk["choices"] for token in chunk["choices"][0].get("token_ids", [])]
            return tokens, chunks[-1]["usage"]["completion_tokens"], done

        with concurrent.futures.ThreadPoolExecutor(NUM_STREAMS) as pool:
            answers = list(pool.map(stream, range(NUM_STREAMS)))
        self.assertTrue(all(count == len(tokens) == 12 and done for tokens, count, done in answers))
        for i in range(0, NUM_STREAMS, 37):
            alone = self.server.post(COMPLETIONS, {key: value for key, value in body(i).items() if key != "stream_options"})[1]
            self.assertEqual(alone["choices"][0]["token_ids"], answers[i][0])

    def test_choices_of_many_prompts_at_once(self):
        body = {"prompt": [[300 + i, 301, 302] for i in range(40)], "n": 4, "max_tokens": 5, "temperature": 1.5, "seed": 4,
                "ignore_eos": True}
        answer = self.server.post(COMPLETIONS, body)[1]
        self.assertEqual([choice["index"] for choice in answer["choices"]], list(range(160)))
        self.assertEqual(answer["usage"]["completion_tokens"], 800)
        self.assertEqual(self.server.post(COMPLETIONS, body)[1]["choices"], answer["choices"])

    def test_second_turn_computes_what_is_new(self):
        text = " ".join(f"Line {i} of a long text." for i in range(60))
        body = {"messages": [{"role": "user", "content": text + " What is git?"}], "temperature": 0, "max_tokens": 40,
                "chat_template_kwargs": {"enable_thinking": False}, "return_token_ids": True}
        first = self.server.post(CHAT, body)[1]
        self.assertEqual(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
        message = first["choices"][0]["message"]
        body["messages"] += [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": "What is vim?"}]
        second = self.server.post(CHAT, body)[1]
        computed = first["prompt_token_ids"] + first["choices"][0]["token_ids"]
        prompt = second["prompt_token_ids"]
        shared = next((i for i, (a, b) in enumerate(zip(computed, prompt)) if a != b), min(len(computed), len(prompt)))
        self.assertGreaterEqual(shared, len(first["prompt_token_ids"]) - 1)  # the template writes the first turn again
        cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
        self.assertEqual(cached % PAGE_TOKENS, 0)
        self.assertGreaterEqual(cached, shared - (PAGE_TOKENS - 1))
        self.assertLessEqual(cached, shared)

    def test_a_stream_does_not_wait_for_a_large_body(self):
        gaps, started, stopping = [], threading.Event(), threading.Event()

        def watch():
            connection = self.server.connect()
            connection.request("POST", COMPLETIONS, json.dumps({"prompt": "a", "max_tokens": 6000, "temperature": 0,
                                                                 "ignore_eos": True, "stream": True}),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            last = None
            while not stopping.is_set() and (line := response.readline()):
                if line.startswith(b"data:"):
                    now = time.monotonic()
                    if last is not None:
                        gaps.append(now - last)
                    last = now
                    started.set()
            connection.close()

        watcher = threading.Thread(target=watch)
        watcher.start()
        self.assertTrue(started.wait(30))
        large = "many words of plain text, " * (1_000_000 // 26)
        for _ in range(3):
            status, answer = self.server.post(COMPLETIONS, {"prompt": large, "max_tokens": 1})
            self.assertEqual((status, answer["error"]["param"]), (400, "input_tokens"))
        stopping.set()
        watcher.join()
        self.assertGreater(len(gaps), 3)
        self.assertLess(max(gaps), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
