"""glm5 bench sweep against a running server: its files, how it goes on, what it refuses. The files are read with Python's
own readers of JSON, CSV, HTML and XML. Standard library only."""
import csv
import html.parser
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from server import MODEL, Server, wait_until

BINARY = os.environ["GLM5_BINARY"]
NAME = "sweep.json"


class Page(html.parser.HTMLParser):
    """Checks that tags close in order, and gathers every attribute that could load something."""
    VOID = {"meta", "line", "polyline", "polygon", "rect", "circle"}

    def __init__(self, text):
        super().__init__()
        self.open, self.loads = [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        self.loads += [value for name, value in attributes if name in ("src", "href", "style") or name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag, tag


class Sweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--disable-access-log", "--served-model-name", "glm5-nano", "--max-num-seqs", "4").wait_ready()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def command(self, *flags):
        return [BINARY, "bench", "sweep", "--port", str(self.server.port), "--tokenizer", MODEL, "--temperature", "0",
                "--input-len", "16", "--output-len", "4", "--num-prompts", "8", "--result-dir", self.folder,
                "--result-filename", NAME, *flags]

    def sweep(self, *flags):
        return subprocess.run(self.command(*flags), capture_output=True, text=True, timeout=300)

    def read(self, extension):
        with open(os.path.join(self.folder, "sweep" + extension), newline="") as file:
            return file.read()

    def requests(self):
        _, _, data = self.server.request("GET", "/metrics")
        return sum(float(value) for value in re.findall(r'^vllm:request_success_total\{.*\} (\S+)$', data.decode(), re.M))

    def test_levels_and_files(self):
        result = self.sweep("--concurrency", "1", "2", "8")
        self.assertEqual(result.returncode, 0, result.stderr)
        levels = json.loads(self.read(".json"))["levels"]
        self.assertEqual([level["concurrency"] for level in levels], [1, 2, 8])
        for level in levels:
            benchmark = level["benchmark"]
            self.assertEqual((benchmark["completed"], benchmark["failed"]), (8, 0))
            self.assertEqual(benchmark["total_output_tokens"], 32)
            self.assertAlmostEqual(benchmark["output_throughput"], 32 / benchmark["duration"], delta=1e-6)
            self.assertEqual(level["num_preemptions"], 0)
            percentiles = level["itl_percentiles_ms"]
            self.assertEqual(percentiles, sorted(percentiles))
            self.assertAlmostEqual(percentiles[99], benchmark["p99_itl_ms"], delta=1e-6)
            self.assertLessEqual(max(level["timeline"]["running"]), 4)
        rows = list(csv.DictReader(self.read(".csv").splitlines()))
        self.assertEqual([row["concurrency"] for row in rows], ["1", "2", "8"])
        self.assertEqual({row["status"] for row in rows}, {"complete"})
        for row, level in zip(rows, levels):
            for key in ("mean_ttft_ms", "p99_itl_ms", "output_throughput"):
                self.assertAlmostEqual(float(row[key]), level["benchmark"][key], delta=1e-9)
        text = self.read(".html")
        self.assertEqual(Page(text).loads, [])
        pictures = re.findall(r"<svg.*?</svg>", text, re.S)
        self.assertEqual(len(pictures), 4 + 3)
        for picture in pictures:
            xml.etree.ElementTree.fromstring(picture)
        self.assertIn("<h1>Sweep of glm5-nano</h1>", text)
        # Published figures are of another model.
        self.assertNotIn("b200", result.stdout + text)
        for label in ("output tok/s", "TTFT ms", "TPOT ms", "ITL p99 ms", "Saturation:"):
            self.assertIn(label, result.stdout)

    def test_goes_on_with_its_file(self):
        self.assertEqual(self.sweep("--concurrency", "1,2").returncode, 0)
        before, levels = self.requests(), json.loads(self.read(".json"))["levels"]
        self.assertEqual(self.sweep("--concurrency", "1,2").returncode, 0)
        self.assertEqual(self.requests(), before)
        self.assertEqual(json.loads(self.read(".json"))["levels"], levels)
        self.assertEqual(self.sweep("--concurrency", "1,2,3").returncode, 0)
        self.assertEqual(self.requests(), before + 8 + 3)  # and the warm-up of three streams
        self.assertEqual(json.loads(self.read(".json"))["levels"][:2], levels)
        other = self.sweep("--concurrency", "1", "--seed", "5")
        self.assertEqual(other.returncode, 2)
        self.assertIn("holds a sweep with other settings: seed 0 there, 5 here", other.stderr)

    def test_an_interrupt_keeps_the_finished_levels(self):
        flags = ("--concurrency", "1", "2", "--num-prompts", "64")
        process = subprocess.Popen(self.command(*flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        path = os.path.join(self.folder, NAME)
        self.assertTrue(wait_until(lambda: os.path.exists(path), 120))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("the same command goes on", errors)
        self.assertEqual([level["concurrency"] for level in json.loads(self.read(".json"))["levels"]], [1])
        self.assertEqual(self.sweep(*flags).returncode, 0)
        self.assertEqual(len(json.loads(self.read(".json"))["levels"]), 2)

    def test_a_level_that_fails_says_so(self):
        server = Server(BINARY, "--disable-access-log", "--max-queue-size", "2").wait_ready()
        self.addCleanup(server.stop)
        result = self.sweep("--port", str(server.port), "--concurrency", "1", "8")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stdout, r" 8 \d of 8 requests failed \(HTTP 429: \d\)")
        row = list(csv.DictReader(self.read(".csv").splitlines()))[1]
        self.assertEqual((row["status"], row["mean_ttft_ms"]), ("failed", ""))

    def test_what_it_refuses(self):
        for flags, message in ((("--concurrency", "1", "x"), "--concurrency: 'x' must be a number from 1 to 100000"),
                               (("--concurrency", "0"), "--concurrency: '0' must be"),
                               (("--reference", "other"), "expected auto, none, glm5-8xb200-vllm-0.16, found 'other'"),
                               (("--reference", "glm5-8xb200-vllm-0.16"), "it is of GLM-5, this sweep of 'glm5-nano'"),
                               (("--result-filename", "x.txt"), "must end in .json")):
            result = self.sweep(*flags)
            self.assertEqual(result.returncode, 2, flags)
            self.assertIn(message, result.stderr)
        gone = self.sweep("--port", "1")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("127.0.0.1:1", gone.stderr)


if __name__ == "__main__":
    unittest.main()
