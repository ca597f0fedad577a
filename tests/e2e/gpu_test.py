"""glm5 on a GPU: what serve answers, the sizes that it takes, and what it refuses. Skips where there is no GPU.
Standard library only."""
import os
import re
import subprocess
import unittest

from server import MODEL, Server

BINARY = os.environ["GLM5_BINARY"]


def generate(*flags):
    """(exit code, standard output, log)"""
    result = subprocess.run([BINARY, "generate", MODEL, "Package: nginx", "--max-tokens", "8", *flags],
                            capture_output=True, text=True, timeout=300)
    return result.returncode, result.stdout, result.stderr


def text_of(chunks):
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def gpu_is_there():
    return generate("--device", "cuda", "--gpu-memory-utilization", "0.2")[0] == 0


@unittest.skipUnless(gpu_is_there(), "no GPU, or this build has no CUDA backend")
class Gpu(unittest.TestCase):
    def test_generate(self):
        cpu = generate("--device", "cpu")[1]
        for flags in ([], ["--kv-cache-dtype", "fp8"], ["--enforce-eager"], ["--kv-cache-memory-bytes", "64M"]):
            code, output, log = generate("--gpu-memory-utilization", "0.2", *flags)
            self.assertEqual(code, 0, log)
            self.assertIn("Device: NVIDIA", log)
            self.assertEqual(output, cpu, flags)
            self.assertEqual("Graph capturing finished in" in log, "--enforce-eager" not in flags)

    def test_serve(self):
        server = Server(BINARY, "--device", "cuda", "--gpu-memory-utilization", "0.3").wait_ready()
        try:
            self.assertEqual(server.request("GET", "/health")[0], 200)
            body = {"messages": [{"role": "user", "content": "What is nginx-light?"}], "temperature": 0,
                    "max_tokens": 40, "chat_template_kwargs": {"enable_thinking": False}}
            status, answer = server.post("/v1/chat/completions", body)
            self.assertEqual(status, 200, answer)
            self.assertIn("nginx", answer["choices"][0]["message"]["content"])
            seeded = dict(body, temperature=1, seed=3)
            first, second = (server.stream("/v1/chat/completions", seeded) for _ in range(2))
            self.assertTrue(first[1])
            self.assertEqual(text_of(first[0]), text_of(second[0]))
            log = "\n".join(server.lines)
            self.assertIn("activations bfloat16, inputs of FP8 layers FP8, latents bfloat16, index keys FP8", log)
            tokens = int(re.search(r"GPU KV cache size: ([0-9,]+) tokens", log).group(1).replace(",", ""))
            self.assertGreater(tokens, 1_000_000)
        finally:
            self.assertEqual(server.stop(), 0)

    def test_what_is_refused(self):
        for flags, code, text in (
                (["--dtype", "float32"], 2, "--dtype float32: a GPU computes in bfloat16"),
                (["--kv-cache-dtype", "float32"], 2, "--kv-cache-dtype float32: a GPU's cache is bfloat16"),
                (["--gpu-memory-utilization", "0.001"], 3, "the model does not fit"),
                (["--kv-cache-memory-bytes", "4000G"], 3, "the model does not fit")):
            found, output, log = generate("--device", "cuda", *flags)
            self.assertEqual(found, code, log)
            self.assertEqual(output, "")
            self.assertIn(text, log.strip().splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
