"""Options of glm5 serve as they work on a running server: --config, keys, names, sampling defaults, limits, warnings.
Standard library only."""
import json
import os
import subprocess
import tempfile
import unittest

from server import MODEL, Server

BINARY = os.environ["GLM5_BINARY"]
CHAT = {"messages": [{"role": "user", "content": "What is git?"}], "chat_template_kwargs": {"enable_thinking": False}}


def fails(*arguments, **environment):
    """(exit code, standard error) of a server that does not start."""
    result = subprocess.run([BINARY, "serve", *arguments], capture_output=True, text=True, timeout=120,
                            env=dict(os.environ, **environment))
    return result.returncode, result.stderr


class Options(unittest.TestCase):
    def start(self, *flags, **arguments):
        server = Server(BINARY, *flags, **arguments).wait_ready()
        self.addCleanup(server.stop)
        return server

    def config(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            file.write(text)
        return file.name

    def test_a_pasted_command_of_vllm(self):
        server = self.start("--served-model-name", "glm-5", "zai-org/GLM-5", "--trust-remote-code", "-tp", "1",
                            "--gpu-memory-utilization", "0.9", "--max-model-len", "2k", "--max-num-seqs", "8",
                            "--enable-chunked-prefill", "--enable-prefix-caching", "--kv-cache-dtype", "fp8",
                            "--generation-config", "vllm", "--override-generation-config.temperature", "0",
                            "--compilation-config.mode", "3", "--block-size", "64")
        status, body = server.post("/v1/chat/completions", dict(CHAT, model="zai-org/GLM-5"))
        self.assertEqual((status, body["model"]), (200, "zai-org/GLM-5"))
        self.assertEqual(server.post("/v1/chat/completions", CHAT)[1]["model"], "glm-5")
        self.assertEqual(server.post("/v1/chat/completions", dict(CHAT, model="other"))[0], 404)
        self.assertIn("git", body["choices"][0]["message"]["content"])
        for name in ("--trust-remote-code", "--gpu-memory-utilization", "--compilation-config"):
            self.assertEqual(sum(name in line for line in server.lines), 1, server.lines)
        self.assertTrue(any("Using max model len 2000" in line for line in server.lines))
        self.assertTrue(any("Using fp8_ds_mla data type" in line for line in server.lines))
        self.assertEqual(server.stop(), 0)

    def test_file_of_options(self):
        path = self.config("served-model-name: [from-file]\nmax-model-len: 1k\nlog-level: debug\n"
                           "override-generation-config: {temperature: 0}\nport: 1\n")
        server = self.start("--config", path)  # the port of the command line wins
        _, _, data = server.request("GET", "/v1/models")
        card = json.loads(data)["data"][0]
        self.assertEqual((card["id"], card["max_model_len"]), ("from-file", 1000))
        texts = {server.post("/v1/chat/completions", CHAT)[1]["choices"][0]["message"]["content"] for _ in range(3)}
        self.assertEqual(len(texts), 1)

    def test_keys(self):
        path = self.config("key-of-file\nother-of-file\n")
        server = self.start("--api-key", "key-of-flag", "--api-key-file", path)
        self.assertEqual(server.request("GET", "/v1/models")[0], 401)
        self.assertEqual(server.request("GET", "/v1/models", headers={"Authorization": "Bearer fourth"})[0], 401)
        for key in ("key-of-file", "other-of-file", "key-of-flag"):
            self.assertEqual(server.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})[0], 200)
        self.assertEqual(server.request("GET", "/health")[0], 200)
        server.stop()
        self.assertFalse(any("-of-f" in line for line in server.lines), server.lines)

    def test_the_context_is_what_the_cache_holds(self):
        server = self.start("--kv-cache-memory-bytes", "4M")
        _, _, data = server.request("GET", "/v1/models")
        tokens = json.loads(data)["data"][0]["max_model_len"]
        self.assertEqual(tokens % 64, 0)
        self.assertIn(f"GPU KV cache size: {tokens:,} tokens", "\n".join(server.lines))

    def test_exit_codes_and_reasons(self):
        path = self.config("port: 1\nmax-model-length: 8k\n")
        cases = [
            (2, f"glm5: {path}:2: unknown option max-model-length; did you mean max-model-len?\n",
             ["--config", path]),
            (2, "glm5: --tensor-parallel-size 8: only 1 is possible: this version runs on one device\n",
             [MODEL, "-tp", "8"]),
            (2, "glm5: --speculative-config: this version does not support it\n",
             [MODEL, "--speculative-config.method", "mtp"]),
            (2, "glm5: --quantization nvfp4: the checkpoint's quantisation is fp8\n", [MODEL, "-q", "modelopt"]),
            (3, "to serve at least one request of max-model-len 2000, 22.00 MiB of KV cache are needed",
             [MODEL, "--port", "0", "--max-model-len", "2k", "--kv-cache-memory-bytes", "4M"]),
        ]
        for code, text, arguments in cases:
            found, errors = fails(*arguments)
            self.assertEqual(found, code, errors)
            self.assertIn(text, errors)
        code, errors = fails(MODEL, "--enable-lora", VLLM_USE_V1="1")
        self.assertEqual((code, errors), (2, "glm5: --enable-lora: adapters are not supported\n"))

    def test_variables_of_vllm(self):
        os.environ.update(VLLM_USE_V1="1", VLLM_API_KEY="from-environment")
        self.addCleanup(os.environ.pop, "VLLM_USE_V1")
        self.addCleanup(os.environ.pop, "VLLM_API_KEY")
        server = self.start()
        self.assertEqual(server.request("GET", "/v1/models")[0], 401)
        self.assertEqual(
            server.request("GET", "/v1/models", headers={"Authorization": "Bearer from-environment"})[0], 200)
        self.assertEqual(sum("VLLM_USE_V1 has no effect here" in line for line in server.lines), 1, server.lines)
        self.assertFalse(any("VLLM_API_KEY" in line or "from-environment" in line for line in server.lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)
