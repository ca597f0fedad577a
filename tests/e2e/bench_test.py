"""glm5 bench serve against a running server, and its results beside those of vLLM's tool. Standard library only."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from server import MODEL, ROOT, Server

BINARY = os.environ["GLM5_BINARY"]
COMPARE = os.path.join(ROOT, "tools", "compare_bench.py")
# In the documented format of `vllm bench serve --save-result`.
VLLM_RESULT = os.path.join(ROOT, "tests", "fixtures", "loadgen", "vllm_result.json")
SMALL = ["--num-prompts", "6", "--input-len", "32", "--output-len", "8", "--max-concurrency", "3", "--temperature", "0"]


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--disable-access-log", "--served-model-name", "glm5-nano").wait_ready()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def command(self, *flags, port=None):
        return [BINARY, "bench", "serve", "--port", str(port or self.server.port), "--tokenizer", MODEL, *flags]

    def bench(self, *flags, code=0, **keywords):
        done = subprocess.run(self.command(*flags, **keywords), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def result(self, *flags):
        """(standard output, the file) of a run."""
        done = self.bench(*flags, "--save-result", "--result-dir", self.folder, "--result-filename", "result.json")
        with open(os.path.join(self.folder, "result.json"), encoding="utf-8") as file:
            return done.stdout, json.load(file)

    def test_counts_are_those_of_the_server(self):
        def server_counts():
            text = self.server.request("GET", "/metrics")[2].decode()
            names = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:request_success_total")
            return [sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)) for name in names]

        before = server_counts()
        table, found = self.result(*SMALL, "--save-detailed", "--percentile-metrics", "ttft,tpot,itl,e2el",
                                   "--goodput", "ttft:60000", "tpot:60000", "--metadata", "kind=test")
        grown = [b - a for a, b in zip(before, server_counts())]
        self.assertEqual(grown, [found["total_input_tokens"], 48, 6])
        self.assertEqual((found["completed"], found["failed"], found["total_output_tokens"]), (6, 0, 48))
        self.assertIn(found["max_concurrent_requests"], (2, 3))
        self.assertEqual(found["kind"], "test")
        self.assertEqual(found["request_goodput"], found["request_throughput"])
        self.assertEqual(found["output_lens"], [8] * 6)
        # At most a message per token and one that says why the text ends.
        self.assertTrue(all(len(itls) <= 8 for itls in found["itls"]), found["itls"])
        for ttft, itls, latency in zip(found["ttfts"], found["itls"], found["latencies"]):
            self.assertAlmostEqual(ttft + sum(itls), latency, places=6)
        self.assertIn("Successful requests:                     6         \n", table)
        self.assertIn("----------------End-to-end Latency----------------\n", table)

    def test_both_apis_and_all_datasets(self):
        prompts = os.path.join(ROOT, "tests", "fixtures", "loadgen", "prompts.jsonl")
        conversations = os.path.join(ROOT, "tests", "fixtures", "loadgen", "conversations.json")
        load = ["--num-prompts", "4", "--temperature", "0", "--output-len", "4"]
        for flags in (["--backend", "openai-chat", "--input-len", "20"],
                      ["--dataset-name", "custom", "--dataset-path", prompts],
                      ["--dataset-name", "sharegpt", "--dataset-path", conversations, "--backend", "openai-chat"],
                      ["--dataset-name", "prefix_repetition", "--prefix-repetition-prefix-len", "70",
                       "--prefix-repetition-suffix-len", "9", "--prefix-repetition-num-prefixes", "2"]):
            with self.subTest(flags=flags):
                found = self.result(*load, *flags)[1]
                self.assertEqual((found["completed"], found["failed"]), (4, 0))
                self.assertLessEqual(found["total_output_tokens"], 16)
                self.assertGreater(found["total_input_tokens"], 0)

    def test_same_texts_as_one_request_gives(self):
        found = self.result(*SMALL, "--save-detailed", "--dataset-name", "custom", "--disable-shuffle", "--dataset-path",
                            os.path.join(ROOT, "tests", "fixtures", "loadgen", "prompts.jsonl"))[1]
        with open(os.path.join(ROOT, "tests", "fixtures", "loadgen", "prompts.jsonl"), encoding="utf-8") as file:
            prompts = [json.loads(line)["prompt"] for line in file][:6]
        for prompt, text in zip(prompts, found["generated_texts"]):
            status, answer = self.server.post("/v1/completions", {"prompt": prompt, "max_tokens": 8, "temperature": 0})
            self.assertEqual((status, answer["choices"][0]["text"]), (200, text))

    def test_a_server_that_refuses_is_counted(self):
        done = self.bench(*SMALL, "--model", "other", code=1)
        self.assertIn("Successful requests:                     0         \n", done.stdout)
        self.assertIn("Failed requests:                         6         \n", done.stdout)
        self.assertIn("  6 × HTTP 404\n", done.stdout)
        self.assertIn("Error 0 (request 0): HTTP 404 Not Found: The model `other` does not exist.", done.stdout)

    def test_a_server_that_is_not_there(self):
        done = self.bench(*SMALL, port=1, code=1)  # no model can be asked for
        self.assertIn("glm5: 127.0.0.1:1: cannot connect: Connection refused\n", done.stderr)
        done = self.bench(*SMALL, "--model", "glm5-nano", port=1, code=1)
        self.assertIn("  6 × connection refused\n", done.stdout)

    def test_interrupted_it_prints_what_was_measured(self):
        command = self.command("--num-prompts", "5000", "--input-len", "32", "--output-len", "8", "--max-concurrency", "2",
                               "--temperature", "0")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        table, log = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, log)
        completed = int(table.split("Successful requests:")[1].split()[0])
        self.assertGreater(completed, 0)
        self.assertIn(f"Unfinished requests:                     {5000 - completed} ", table)
        self.assertIn(f"Interrupted: {completed} of 5000 requests had ended.\n", table)

    def test_wrong_options(self):
        for flags, message in ((["--request-rate", "0"], "--request-rate 0: must be above 0, or inf"),
                               (["--goodput", "itl:5"], "--goodput itl:5: must be ttft:MS, tpot:MS or e2el:MS"),
                               (["--base-url", "https://x"], "--base-url https://x: this client speaks plain HTTP"),
                               (["--dataset-name", "custom"], "--dataset-name custom: --dataset-path is needed"),
                               (["--random-range-ratio", "1"], "--random-range-ratio 1: must be at least 0, below 1"),
                               (["--tokenizer", "/no/such"], "--tokenizer /no/such: "),
                               (["--max-concurency", "2"], "unknown option --max-concurency; did you mean --max-concurrency?"),
                               (["--ramp-up-strategy", "linear"], "--ramp-up-strategy: --ramp-up-start-rps and"),
                               (["--metric-percentiles", "99,x"], "--metric-percentiles: 'x' must be 0 to 100")):
            done = self.bench(*SMALL, *flags, code=2)
            self.assertIn(f"glm5: {message}", done.stderr)

    def test_lines_are_appended(self):
        path = os.path.join(self.folder, "all.jsonl")
        for _ in range(2):
            self.bench(*SMALL, "--append-result", "--result-filename", path)
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual([json.loads(line)["completed"] for line in lines], [6, 6])
        table = self.compare(path).stdout
        self.assertEqual(table.splitlines()[0].split(), ["all:1", "all:2", "B", "/", "A"])

    def compare(self, *files, code=0):
        done = subprocess.run([sys.executable, COMPARE, *files], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_one_script_reads_results_of_both_tools(self):
        found = self.result(*SMALL)[1]
        path = os.path.join(self.folder, "result.json")
        with open(VLLM_RESULT, encoding="utf-8") as file:
            other = json.load(file)
        self.assertLessEqual(set(other), set(found))  # every key of theirs is in ours
        for key in set(other) - {"label", "request_goodput"}:
            self.assertIn(type(found[key]), ((int, float) if isinstance(other[key], (int, float)) else (type(other[key]),)), key)
        done = self.compare(VLLM_RESULT, path)
        rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:]}
        self.assertEqual(rows["completed"], ["6", "6", "1.000"])
        self.assertEqual(rows["p99_itl_ms"][0], "24.50")
        self.assertEqual(float(rows["mean_ttft_ms"][1]), round(found["mean_ttft_ms"], 2))
        self.assertEqual(done.stderr, "")
        # What cannot be compared is said.
        self.bench(*SMALL, "--max-concurrency", "2", "--save-result", "--result-filename", path)
        self.assertIn("warning: max_concurrency differs: vllm_result 3, result 2\n", self.compare(VLLM_RESULT, path).stderr)

    def test_the_script_refuses_other_files(self):
        path = os.path.join(self.folder, "other.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write("{}")
        self.assertIn("no result of bench serve", self.compare(path, code=1).stderr)


if __name__ == "__main__":
    unittest.main()
