#!/usr/bin/env python3
"""End to end: what requests of each kind add to GET /metrics. GLM5_BINARY names the binary."""
import concurrent.futures
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, wait_until  # noqa: E402

BINARY = os.path.abspath(os.environ["GLM5_BINARY"])
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
ENGINE = {"model_name": "nano", "engine": "0"}
REQUEST_HISTOGRAMS = ("e2e_request_latency_seconds", "request_queue_time_seconds", "request_inference_time_seconds",
                      "request_prefill_time_seconds", "request_decode_time_seconds", "request_prompt_tokens",
                      "request_generation_tokens", "request_max_num_generation_tokens", "request_params_max_tokens",
                      "request_params_n", "request_prefill_kv_computed_tokens")
PAGE_TOKENS = 64


def question(text="What is nginx-light?", **fields):
    return {"messages": [{"role": "user", "content": text}], "chat_template_kwargs": {"enable_thinking": False},
            "temperature": 0, **fields}


def parse(text):
    """Sample name and labels → value."""
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line).groups()
        pairs = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or "")
        samples[name, frozenset(pairs)] = float(value)
    return samples


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--served-model-name", "nano", "alias").wait_ready()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.lines[-5:]

    def scrape(self):
        status, headers, data = self.server.request("GET", "/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return parse(data.decode())

    def value(self, samples, name, **labels):
        if name.startswith(("vllm:", "glm5:queue", "glm5:pages", "glm5:step")):
            labels.update(ENGINE)
        return samples[name, frozenset(labels.items())]

    def idle(self):
        return self.value(self.scrape(), "vllm:num_requests_running") == 0

    def watch(self, action, requests=()):
        """Runs `action`; a function that gives what it added to a sample, its answer. The HTTP counts of `requests`,
        [(handler, method, status class, number)], are reported just after the last byte, so they are waited for."""
        before = self.scrape()
        answer = action()
        self.assertTrue(wait_until(self.idle))
        after = {}

        def added(name, **labels):
            return self.value(after, name, **labels) - self.value(before, name, **labels)

        def settled():
            after.clear()
            after.update(self.scrape())
            return all(added("http_requests_total", handler=handler, method=method, status=status) == number
                       for handler, method, status, number in requests)

        self.assertTrue(wait_until(settled, 10), "the HTTP requests are not counted")
        return added, answer

    def count(self, added, name):
        return added(f"vllm:{name}_count")

    def ended(self, added):
        reasons = ("stop", "length", "abort", "error", "repetition")
        return {reason: number for reason in reasons
                if (number := added("vllm:request_success_total", finished_reason=reason))}

    def test_whole_answer(self):
        body = question("What is vim?", max_tokens=7)
        added, (status, answer) = self.watch(lambda: self.server.post(CHAT, body), [(CHAT, "POST", "2xx", 1)])
        self.assertEqual(status, 200)
        usage = answer["usage"]
        self.assertEqual(usage["completion_tokens"], 7)
        self.assertEqual(self.ended(added), {"length": 1})
        self.assertEqual(added("vllm:prompt_tokens_total"), usage["prompt_tokens"])
        self.assertEqual(added("vllm:generation_tokens_total"), 7)
        self.assertEqual(self.count(added, "time_to_first_token_seconds"), 1)
        self.assertEqual(self.count(added, "inter_token_latency_seconds"), 6)
        self.assertEqual(self.count(added, "request_time_per_output_token_seconds"), 1)
        for name in REQUEST_HISTOGRAMS:
            self.assertEqual(self.count(added, name), 1, name)
        self.assertEqual(added("vllm:request_generation_tokens_sum"), 7)
        self.assertEqual(added("vllm:request_params_max_tokens_sum"), 7)
        self.assertEqual(added("vllm:request_prompt_tokens_sum"), usage["prompt_tokens"])
        # The prompt is one step; each further token is one of a single token.
        self.assertEqual(self.count(added, "iteration_tokens_total"), 7)
        self.assertEqual(added("vllm:iteration_tokens_total_sum"), usage["prompt_tokens"] + 6)
        self.assertEqual(added("glm5:step_seconds_count", phase="prefill"), 1)
        self.assertEqual(added("glm5:step_seconds_count", phase="decode"), 6)
        # The parts make the whole, and the server's time is within the client's.
        seconds = {name: added(f"vllm:{name}_seconds_sum") for name in
                   ("request_prefill_time", "request_decode_time", "request_inference_time", "request_queue_time",
                    "e2e_request_latency", "time_to_first_token", "inter_token_latency")}
        self.assertAlmostEqual(seconds["request_prefill_time"] + seconds["request_decode_time"],
                               seconds["request_inference_time"], places=6)
        self.assertAlmostEqual(seconds["inter_token_latency"], seconds["request_decode_time"], places=6)
        self.assertLessEqual(seconds["request_queue_time"] + seconds["request_inference_time"],
                             seconds["e2e_request_latency"] + 1e-6)
        duration = added("http_request_duration_seconds_sum", handler=CHAT, method="POST")
        self.assertLessEqual(seconds["e2e_request_latency"], duration)

    def test_stream_and_stop_string(self):
        body = question("What is curl?", stream_options={"include_usage": True})
        added, (chunks, done) = self.watch(lambda: self.server.stream(CHAT, body), [(CHAT, "POST", "2xx", 1)])
        self.assertTrue(done)
        usage = chunks[-1]["usage"]
        self.assertEqual(self.ended(added), {"stop": 1})
        self.assertEqual(added("vllm:generation_tokens_total"), usage["completion_tokens"])
        self.assertEqual(self.count(added, "inter_token_latency_seconds"), usage["completion_tokens"] - 1)
        added, (_, answer) = self.watch(lambda: self.server.post(CHAT, question(stop="proxy")))
        self.assertEqual(answer["choices"][0]["stop_reason"], "proxy")
        self.assertEqual(self.ended(added), {"stop": 1})
        self.assertEqual(added("vllm:generation_tokens_total"), answer["usage"]["completion_tokens"])

    def test_prefix_cache(self):
        body = {"prompt": [300 + i % 50 for i in range(3 * PAGE_TOKENS + 5)], "max_tokens": 2, "temperature": 0,
                "ignore_eos": True}
        tokens = len(body["prompt"])
        for cached in (0, 3 * PAGE_TOKENS):
            added, (status, _) = self.watch(lambda: self.server.post(COMPLETIONS, body))
            self.assertEqual(status, 200)
            self.assertEqual(added("vllm:prompt_tokens_total"), tokens)
            self.assertEqual(added("vllm:prompt_tokens_cached_total"), cached)
            self.assertEqual(added("vllm:prompt_tokens_by_source_total", source="local_cache_hit"), cached)
            self.assertEqual(added("vllm:prompt_tokens_by_source_total", source="local_compute"), tokens - cached)
            self.assertEqual(added("vllm:prefix_cache_queries_total"), tokens)
            self.assertEqual(added("vllm:prefix_cache_hits_total"), cached)
            self.assertEqual(added("vllm:request_prefill_kv_computed_tokens_sum"), tokens - cached)
        self.assertGreaterEqual(self.value(self.scrape(), "glm5:pages", state="cached"), 3)
        samples = self.scrape()
        pages = sum(self.value(samples, "glm5:pages", state=state) for state in ("free", "active", "cached"))
        [blocks] = [dict(labels)["num_gpu_blocks"] for name, labels in samples if name == "vllm:cache_config_info"]
        self.assertEqual(pages, float(blocks))

    def test_refused_requests_reach_no_engine(self):
        def refused():
            self.assertEqual(self.server.post(CHAT, question(max_tokens=0))[0], 400)
            self.assertEqual(self.server.post(CHAT, question(model="other"))[0], 404)
            self.assertEqual(self.server.request("POST", CHAT, b"{", {"Content-Type": "text/plain"})[0], 415)
            self.assertEqual(self.server.request("GET", CHAT)[0], 405)
            self.assertEqual(self.server.request("GET", "/no/such/path")[0], 404)
            for path in ("/health", "/ping", "/version"):
                self.assertEqual(self.server.request("GET", path)[0], 200)

        added, _ = self.watch(refused, [(CHAT, "POST", "4xx", 3), ("none", "GET", "4xx", 2)])
        self.assertEqual(self.ended(added), {})
        for name in ("prompt_tokens_total", "generation_tokens_total", "time_to_first_token_seconds_count"):
            self.assertEqual(added("vllm:" + name), 0)
        self.assertEqual(added("http_requests_total", handler=CHAT, method="POST", status="2xx"), 0)

    def test_client_that_leaves(self):
        def leave():
            body = json.dumps(question(stream=True, max_tokens=7000, ignore_eos=True)).encode()
            with self.server.raw() as client:
                client.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                               (CHAT.encode(), len(body), body))
                received = b""
                while b"data: " not in received:
                    received += client.recv(4096)
                running = self.scrape()
                self.assertEqual(self.value(running, "vllm:num_requests_running"), 1)
                self.assertGreater(self.value(running, "vllm:kv_cache_usage_perc"), 0)

        added, _ = self.watch(leave, [(CHAT, "POST", "4xx", 1)])
        self.assertEqual(self.ended(added), {"abort": 1})
        self.assertEqual(added("glm5:client_aborts_total"), 1)
        self.assertEqual(self.count(added, "time_to_first_token_seconds"), 1)
        # Each output is either the first or has a latency; a request that was cut off has no times.
        self.assertEqual(added("vllm:generation_tokens_total"), self.count(added, "inter_token_latency_seconds") + 1)
        for name in REQUEST_HISTOGRAMS:
            self.assertEqual(self.count(added, name), 0, name)

    def test_many_at_once(self):
        bodies = [question(f"What is {name}?", max_tokens=5 + i, ignore_eos=True)
                  for i, name in enumerate(("vim", "git", "bash", "curl", "zsh", "tmux", "make", "gcc"))]

        def all_at_once():
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                return [answer["usage"] for _, answer in pool.map(lambda body: self.server.post(CHAT, body), bodies)]

        added, usages = self.watch(all_at_once, [(CHAT, "POST", "2xx", 8)])
        self.assertEqual(self.ended(added), {"length": 8})
        self.assertEqual(added("vllm:prompt_tokens_total"), sum(usage["prompt_tokens"] for usage in usages))
        self.assertEqual(added("vllm:generation_tokens_total"), sum(usage["completion_tokens"] for usage in usages))
        self.assertEqual(self.count(added, "inter_token_latency_seconds"),
                         sum(usage["completion_tokens"] - 1 for usage in usages))
        self.assertEqual(added("vllm:request_params_max_tokens_sum"), sum(body["max_tokens"] for body in bodies))
        samples = self.scrape()
        steps = sum(self.value(samples, "glm5:step_seconds_count", phase=phase) for phase in ("prefill", "decode", "mixed"))
        self.assertEqual(steps, self.value(samples, "vllm:iteration_tokens_total_count"))

    def test_process(self):
        samples = self.scrape()
        self.assertGreater(self.value(samples, "process_resident_memory_bytes"), 20e6)
        with open(f"/proc/{self.server.process.pid}/status", encoding="utf-8") as file:
            resident = 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))
        self.assertLess(abs(resident - self.value(samples, "process_resident_memory_bytes")) / resident, 0.2)
        files = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        self.assertLess(abs(files - self.value(samples, "process_open_fds")), 4)
        self.assertEqual(self.value(samples, "vllm:engine_sleep_state", sleep_state="awake"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
