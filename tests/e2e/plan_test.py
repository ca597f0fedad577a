"""glm5 plan: the published example, what does not fit, configs that cannot be planned; what serve plans and
takes. Standard library only."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from server import MODEL, ROOT, Server

BINARY = os.environ["GLM5_BINARY"]
CONFIGS = os.path.join(ROOT, "tests", "fixtures", "configs")
GLM5_FP8 = os.path.join(CONFIGS, "glm-5-fp8_config.json")
GLM52_FP8 = os.path.join(CONFIGS, "glm-5.2-fp8_config.json")
GIB = 1 << 30


def run(*arguments):
    """(exit code, standard output, standard error)"""
    result = subprocess.run([BINARY, "plan", *arguments], capture_output=True, text=True, timeout=120)
    return result.returncode, result.stdout, result.stderr


def plan(*arguments, code=0):
    found, output, errors = run(*arguments, "--json")
    assert found == code, (found, errors)
    return json.loads(output)


class Plan(unittest.TestCase):
    def test_the_published_example(self):
        """vLLM, GLM-5-FP8 on eight B200: 89.43 GiB of weights a rank, 64.49 GiB of cache are 691,392 tokens."""
        arguments = [GLM5_FP8, "--tensor-parallel-size", "8", "--gpu", "b200"]
        found = plan(*arguments, "--kv-cache-memory-bytes", str(int(64.49 * GIB)))
        self.assertEqual(found["kv_cache"]["tokens"], 691_392)
        self.assertEqual(found["kv_cache"]["pages"], 10_803)
        self.assertAlmostEqual(found["rank"]["kv_cache_bytes"] / GIB, 64.49, delta=0.005)
        self.assertAlmostEqual(found["rank"]["weights_bytes"] / GIB, 89.43, delta=0.01 * 89.43)
        self.assertAlmostEqual(8 * found["rank"]["weights_bytes"] / GIB, 715, delta=7.15)
        text = run(*arguments, "--kv-cache-memory-bytes", str(int(64.49 * GIB)))[1]
        self.assertIn("64.49 GiB = 10,803 pages = 691,392 tokens", text)
        self.assertIn("100,152 bytes (latent 89,856, index keys 10,296)", text)
        self.assertIn("shared indexers, as in GLM-5.2", text)

    def test_parts_add_up(self):
        for arguments in ([GLM5_FP8, "-tp", "8", "--gpu", "h200"], [GLM52_FP8, "-dp", "8", "-ep", "--gpu", "h200"],
                          [MODEL]):
            rank = plan(*arguments)["rank"]
            weights = dict(rank["weights"])
            self.assertEqual(weights.pop("all"), sum(weights.values()))
            self.assertEqual(weights and rank["weights"]["all"], rank["weights_bytes"])
            for group in ("step_buffers", "workspaces", "communication"):
                self.assertEqual(sum(buffer["bytes"] for buffer in rank[group]), rank[f"{group}_bytes"])
            parts = ("weights", "step_buffers", "workspaces", "communication", "context", "graphs", "kv_cache")
            self.assertEqual(sum(rank[f"{part}_bytes"] for part in parts), rank["bytes"])

    def test_what_does_not_fit(self):
        code, output, errors = run(GLM52_FP8, "-tp", "8", "--gpu", "h200", "--max-model-len", "1M",
                                   "--kv-cache-dtype", "fp8", "--speculative-config", '{"method": "mtp"}')
        self.assertEqual(code, 3, errors)
        self.assertRegex(errors, r"^glm5: to serve at least one request of max-model-len 1048576, 53\.45 GiB of KV cache "
                                 r"are needed, and 3\d\.\d\d GiB are available")
        self.assertIn("largest context that fits", output)
        found = plan(GLM5_FP8, "-tp", "8", "--gpu", "80GB", code=3)
        self.assertFalse(found["fits"])
        self.assertEqual((found["kv_cache"]["tokens"], found["largest_model_len"]), (0, 0))
        self.assertIn("the model does not fit", found["reason"])
        self.assertEqual(found["decode_steps"], [])  # a size has no bandwidth

    def test_nano_on_this_machine(self):
        found = plan(MODEL)
        self.assertEqual(found["device"]["name"], "CPU")
        self.assertEqual(found["kv_cache"]["bytes_per_token"], 11_264)
        self.assertEqual(found["max_model_len"], 8192)

    def test_errors_name_what_is_wrong(self):
        cases = [
            ([GLM5_FP8, "-tp", "3", "--gpu", "b200"], "config.json: num_attention_heads: 64 cannot be shared evenly"),
            ([GLM5_FP8, "--gpu", "a100"], "--gpu a100: expected h100, h200, b200 or a size of memory"),
            ([GLM5_FP8, "--gpu", "b200", "--max-model-len", "300k"], "the model's limit is 202752"),
            ([GLM5_FP8, "--speculative-config.method", "eagle"], "--speculative-config: method must be mtp"),
            ([GLM5_FP8, "--gpu-memory-utilization", "1.5"], "--gpu-memory-utilization 1.5"),
            ([os.path.join(CONFIGS, "glm-5.3-flash_config.json")], "glm-5.3-flash_config.json: model_type \"glm5_next\""),
            ([os.path.join(ROOT, "README.md")], "README.md: "),
            ([], "usage: glm5 plan MODEL|config.json"),
        ]
        for arguments, text in cases:
            code, _, errors = run(*arguments)
            self.assertEqual(code, 2, errors)
            self.assertIn(text, errors)
            self.assertEqual(errors.count("\n"), 1, errors)

    def test_a_key_that_is_missing_or_wrong(self):
        with open(GLM5_FP8) as file:
            config = json.load(file)
        for key, value in (("kv_lora_rank", None), ("index_topk", -1), ("num_hidden_layers", 1 << 40)):
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump({**config, key: value}, file)
                file.flush()
                code, _, errors = run(file.name)
            self.assertEqual(code, 2, errors)
            self.assertIn(f"{file.name}: {key}", errors)


class Serve(unittest.TestCase):
    def planned_and_taken(self, lines, text):
        """The pairs of numbers of the line that contains `text`."""
        line = [line for line in lines if text in line]
        self.assertEqual(len(line), 1, lines)
        found = re.findall(r"(\d+\.\d) (\d+\.\d)", line[0].split("MiB:")[1])
        return [(float(planned), float(taken)) for planned, taken in found]

    def test_takes_what_it_planned(self):
        server = Server(BINARY, "--max-num-batched-tokens", "512", "--max-num-seqs", "8",
                        "--kv-cache-memory-bytes", "64M").wait_ready()
        self.addCleanup(server.stop)
        # As many tokens in one step as there may be, and a context whose positions are chosen.
        status, body = server.post("/v1/completions", {"prompt": "one two three " * 400, "max_tokens": 4})
        self.assertEqual(status, 200, body)
        self.assertEqual(server.stop(), 0)
        for planned, taken in self.planned_and_taken(server.lines, "Memory planned and taken, MiB"):
            self.assertAlmostEqual(planned, taken, delta=0.1)
        whole, workspaces = self.planned_and_taken(server.lines, "Memory planned and taken at most, MiB")
        self.assertAlmostEqual(whole[0], whole[1], delta=0.02 * whole[0])
        self.assertGreaterEqual(workspaces[0], workspaces[1])
        self.assertGreaterEqual(workspaces[1], 0.8 * workspaces[0])

        log = "\n".join(server.lines)
        tokens = (64 << 20) // 720_896 * 64
        for line in ("Using max model len 5952\n", f"GPU KV cache size: {tokens:,} tokens\n", "Model loading took 0.04 GiB memory",
                     "Available KV cache memory: 0.06 GiB\n",
                     f"Maximum concurrency for {tokens:,} tokens per request: 1.00x\n"):
            self.assertIn(line, log)
        self.assertLess(log.index("Using max model len"), log.index("Loading weights took"))
        for part in ("weights", "routed experts", "step buffers", "workspaces", "KV cache", "largest context that fits"):
            self.assertIn(part, server.output)

    def test_refuses_before_it_loads(self):
        result = subprocess.run([BINARY, "serve", MODEL, "--port", "0", "--kv-cache-memory-bytes", "4T"],
                                capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertRegex(result.stderr, r"glm5: the model does not fit: a rank needs 4096\.\d\d GiB \(weights 43\.7\d MiB, ")
        self.assertNotIn("Loading weights", result.stderr)
        self.assertIn("KV cache", result.stdout)  # the table


if __name__ == "__main__":
    unittest.main(verbosity=2)
