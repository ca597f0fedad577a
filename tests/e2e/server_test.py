#!/usr/bin/env python3
"""End to end: `glm5` as a person starts it and a client sees it. GLM5_BINARY names the binary."""
import concurrent.futures
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import MODEL, ROOT, Server, wait_until  # noqa: E402

BINARY = os.path.abspath(os.environ["GLM5_BINARY"])
CHAT = "/v1/chat/completions"
NGINX = "nginx-light: nginx web/proxy server (basic version)."


def golden_rows():
    """Prompts and greedy continuations made with transformers."""
    with open(os.path.join(ROOT, "tests", "fixtures", "nano", "nano-fp8.json"), encoding="utf-8") as file:
        return json.load(file)


def question(text="What is nginx-light?", thinking=False, **fields):
    return {"messages": [{"role": "user", "content": text}], "chat_template_kwargs": {"enable_thinking": thinking},
            "temperature": 0, **fields}


def glm5(*arguments, **options):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120, **options)


class ServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--served-model-name", "nano", "other/name").wait_ready()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.lines[-5:]

    def error(self, path, body, status, param, pattern):
        found, answer = self.server.post(path, body)
        self.assertEqual(found, status, answer)
        error = answer["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertEqual(error["param"], param)
        self.assertEqual(error["code"], status)
        self.assertRegex(error["message"], pattern)
        return error

    # What the README shows.

    def test_request_of_the_readme(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            command = re.search(r"^curl .*?^}'$", file.read(), re.MULTILINE | re.DOTALL).group(0)
        command = command.replace("127.0.0.1:8000", f"127.0.0.1:{self.server.port}")
        answer = json.loads(subprocess.run(command, shell=True, capture_output=True, check=True, timeout=60).stdout)
        self.assertEqual(answer["choices"][0]["message"]["content"], NGINX)

    # Chat.

    def test_chat_answer(self):
        status, answer = self.server.post(CHAT, question(), **{"X-Request-Id": "abc"})
        self.assertEqual(status, 200)
        self.assertEqual(answer["id"], "chatcmpl-abc")
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["model"], "nano")
        [choice] = answer["choices"]
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertEqual(choice["message"]["content"], NGINX)
        self.assertIsNone(choice["message"]["reasoning"])
        self.assertEqual(choice["finish_reason"], "stop")
        usage = answer["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        self.assertGreater(usage["completion_tokens"], 5)

    def test_chat_stream_equals_the_whole_answer(self):
        for thinking in (False, True):
            _, whole = self.server.post(CHAT, question(thinking=thinking))
            chunks, done = self.server.stream(CHAT, question(thinking=thinking, stream_options={"include_usage": True}))
            self.assertTrue(done)
            self.assertEqual(len({chunk["id"] for chunk in chunks}), 1)
            self.assertEqual(len({chunk["created"] for chunk in chunks}), 1)
            self.assertTrue(all(chunk["object"] == "chat.completion.chunk" for chunk in chunks))
            self.assertEqual(chunks[0]["choices"][0]["delta"], {"role": "assistant", "content": ""})
            self.assertEqual(chunks[-1]["choices"], [])
            self.assertEqual(chunks[-1]["usage"], whole["usage"])
            finish = chunks[-2]["choices"][0]
            self.assertEqual(finish["finish_reason"], "stop")
            self.assertEqual(finish["stop_reason"], whole["choices"][0]["stop_reason"])
            deltas = [chunk["choices"][0]["delta"] for chunk in chunks[1:-2]]
            message = whole["choices"][0]["message"]
            self.assertEqual("".join(delta.get("content", "") for delta in deltas), message["content"])
            for field in ("reasoning", "reasoning_content"):
                self.assertEqual("".join(delta.get(field, "") for delta in deltas) or None, message[field])
            self.assertEqual(message["reasoning"] is not None, thinking)
            self.assertEqual(whole["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0, thinking)
            self.assertNotIn("think>", message["content"])

    def test_usage_on_every_chunk(self):
        options = {"include_usage": True, "continuous_usage_stats": True}
        chunks, _ = self.server.stream(CHAT, question(stream_options=options))
        counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
        self.assertEqual(counts, sorted(counts))

    def test_length_and_content_null(self):
        _, answer = self.server.post(CHAT, question(thinking=True, max_completion_tokens=3, max_tokens=100))
        choice = answer["choices"][0]
        self.assertEqual(choice["finish_reason"], "length")
        self.assertIsNone(choice["message"]["content"])
        self.assertEqual(answer["usage"]["completion_tokens"], 3)
        self.assertEqual(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 3)

    def test_stop_strings(self):
        for stop, expected in (("proxy", "nginx-light: nginx web/"), (["zzz", " web/pro"], "nginx-light: nginx")):
            matched = stop if isinstance(stop, str) else stop[1]
            _, whole = self.server.post(CHAT, question(stop=stop))
            chunks, _ = self.server.stream(CHAT, question(stop=stop))
            self.assertEqual(whole["choices"][0]["message"]["content"], expected)
            self.assertEqual("".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks), expected)
            for choice in (whole["choices"][0], chunks[-1]["choices"][0]):
                self.assertEqual((choice["finish_reason"], choice["stop_reason"]), ("stop", matched))
        _, whole = self.server.post(CHAT, question(stop="proxy", include_stop_str_in_output=True))
        self.assertEqual(whole["choices"][0]["message"]["content"], "nginx-light: nginx web/proxy")

    def test_forms_of_content(self):
        parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "nginx-light?"}]
        status, answer = self.server.post(CHAT, question(parts))
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, NGINX))

    # Completions.

    def test_completion_of_golden_ids(self):
        for row in golden_rows():
            body = {"prompt": row["prompt_ids"], "max_tokens": len(row["greedy_ids"]), "temperature": 0,
                    "skip_special_tokens": False}
            status, answer = self.server.post("/v1/completions", body)
            self.assertEqual(status, 200, answer)
            self.assertEqual(answer["object"], "text_completion")
            self.assertTrue(answer["id"].startswith("cmpl-"))
            self.assertEqual(answer["usage"]["prompt_tokens"], len(row["prompt_ids"]))
            self.assertEqual(answer["usage"]["completion_tokens"], len(row["greedy_ids"]))
            text = answer["choices"][0]["text"]  # without the end token
            self.assertIn(row["greedy_text"], (text, text + "<|user|>", text + "<|observation|>", text + "<|endoftext|>"))

    def test_completion_of_text(self):
        prompt = "[gMASK]<sop><|user|>What is nginx-light?<|assistant|></think>"
        _, answer = self.server.post("/v1/completions", {"prompt": prompt, "max_tokens": 100, "temperature": 0})
        self.assertEqual(answer["choices"][0]["text"], NGINX)
        chunks, done = self.server.stream("/v1/completions", {"prompt": [prompt], "max_tokens": 100, "temperature": 0})
        self.assertTrue(done)
        self.assertEqual("".join(chunk["choices"][0]["text"] for chunk in chunks), NGINX)
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "stop")
        _, answer = self.server.post("/v1/completions", {"prompt": prompt})
        self.assertEqual(answer["usage"]["completion_tokens"], 16)

    # Errors.

    def test_error_shapes(self):
        for path, body, status, param, pattern in (
                (CHAT, question(temperature=-1), 400, "temperature", "must be at least 0, not -1"),
                (CHAT, question(n=2), 400, "n", "must be 1 when temperature is 0"),
                (CHAT, question(logprobs=True), 400, "logprobs", "not supported by this version"),
                (CHAT, question(response_format={"type": "json_object"}), 400, "response_format", "not supported by this version"),
                (CHAT, question(tools=[{"type": "function", "function": {"name": "f"}}], tool_choice="required"), 400,
                 "tool_choice", "not supported by this version"),
                (CHAT, question(max_tokens=0), 400, "max_tokens", "at least 1"),
                (CHAT, question(max_tokens="5"), 400, "max_tokens", "must be an integer, not string"),
                (CHAT, question(model="gpt-4"), 404, "model", "The model `gpt-4` does not exist"),
                (CHAT, {"messages": []}, 400, "messages", "must not be empty"),
                (CHAT, {}, 400, "messages", "required"),
                (CHAT, {"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0].role", "robot"),
                (CHAT, question([{"type": "image_url", "image_url": {"url": "x"}}]), 400, "messages[0].content[0].type", "text only"),
                (CHAT, question(max_tokens=9000), 400, "input_tokens",
                 r"maximum context length is 8192 tokens. However, you requested 9000 output tokens and your prompt contains 15"),
                ("/v1/completions", {"prompt": [5] * 9000}, 400, "input_tokens", "maximum context length is 8192"),
                ("/v1/completions", {"prompt": [4132]}, 400, "prompt[0]", "Token id 4132 is out of vocabulary"),
                ("/v1/completions", {"prompt": [[5], [4132]]}, 400, "prompt[1][0]", "Token id 4132 is out of vocabulary"),
                ("/v1/completions", {"prompt": "x", "suffix": "y"}, 400, "suffix", "does not fill in"),
                ("/v1/completions", [], 400, None, "must be an object, not array"),
        ):
            with self.subTest(pattern=pattern):
                self.error(path, body, status, param, pattern)

    def test_bodies_that_are_no_requests(self):
        for body, headers, status in ((b"{", {}, 400), (b"\xff", {}, 400), (b"[" * 1000, {}, 400), (b"{}", {"Content-Type": "text/plain"}, 415)):
            found, _, data = self.server.request("POST", CHAT, body, {"Content-Type": "application/json", **headers})
            self.assertEqual(found, status)
            self.assertEqual(json.loads(data)["error"]["code"], status)
        self.assertEqual(self.server.request("GET", CHAT)[0], 405)
        self.assertEqual(self.server.request("GET", CHAT)[1]["Allow"], "POST")
        self.assertEqual(self.server.request("GET", "/v1/nothing")[0], 404)

    def test_models_and_health(self):
        status, _, data = self.server.request("GET", "/v1/models")
        self.assertEqual(status, 200)
        models = json.loads(data)["data"]
        self.assertEqual([model["id"] for model in models], ["nano", "other/name"])
        self.assertEqual(models[0]["max_model_len"], 8192)
        self.assertEqual(self.server.request("GET", "/v1/models/other%2Fname")[0], 200)
        self.assertEqual(self.server.request("GET", "/v1/models/none")[0], 404)
        self.assertEqual(self.server.request("GET", "/health")[::2], (200, b""))
        self.assertRegex(json.loads(self.server.request("GET", "/version")[2])["version"], r"^\d+\.\d+\.\d+")

    def test_request_id_is_echoed(self):
        _, headers, data = self.server.request("POST", CHAT, question(request_id="r-1"))
        self.assertEqual(headers["X-Request-Id"], "r-1")
        self.assertEqual(json.loads(data)["id"], "chatcmpl-r-1")
        _, headers, _ = self.server.request("POST", CHAT, question(n=2), {"X-Request-Id": "r-2"})
        self.assertEqual(headers["X-Request-Id"], "r-2")

    def test_unknown_field_is_warned_about_once(self):
        for _ in range(2):
            status, _ = self.server.post(CHAT, question(no_such_field=1, user="u", max_tokens=1))
            self.assertEqual(status, 200)
        lines = [line for line in self.server.lines if "no_such_field" in line]
        self.assertEqual(len(lines), 1, lines)

    # Many at once, and clients that leave.

    def test_requests_at_once_answer_as_one_alone(self):
        bodies = [question(f"What is {name}?", max_tokens=40) for name in ("nginx-light", "vim", "git", "bash", "curl", "zsh")]
        alone = [self.server.post(CHAT, body)[1]["choices"][0]["message"]["content"] for body in bodies]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            together = list(pool.map(lambda body: self.server.post(CHAT, body)[1]["choices"][0]["message"]["content"], bodies * 2))
        self.assertEqual(together, alone * 2)

    def test_client_that_leaves_is_cancelled(self):
        for how in ("close", "reset"):
            for stream in (True, False):
                before = sum("499" in line for line in self.server.lines)
                body = json.dumps(question(thinking=True, stream=stream, max_tokens=7000, ignore_eos=True)).encode()
                client = self.server.raw()
                client.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                               (CHAT.encode(), len(body), body))
                if stream:
                    self.assertIn(b"200 OK", client.recv(4096))
                if how == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                self.assertTrue(wait_until(lambda: sum("499" in line for line in self.server.lines) > before, 30), (how, stream))
        self.assertEqual(self.server.post(CHAT, question())[1]["choices"][0]["message"]["content"], NGINX)


class LifeTest(unittest.TestCase):
    def test_sigterm_lets_an_open_stream_finish(self):
        server = Server(BINARY).wait_ready()
        connection = server.connect()
        connection.request("POST", CHAT, json.dumps(question(thinking=True, stream=True, max_tokens=300, ignore_eos=True)),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        first = response.readline()
        self.assertTrue(first.startswith(b"data: "))
        server.process.send_signal(signal.SIGTERM)
        self.assertTrue(wait_until(lambda: any("Stopping" in line for line in server.lines)))
        with self.assertRaises(OSError):
            server.raw()
        rest = response.read().decode()
        self.assertTrue(rest.endswith("data: [DONE]\n\n"))
        self.assertIn('"finish_reason":"length"', rest)
        connection.close()
        self.assertEqual(server.join(), 0)

    def test_second_signal_ends_at_once(self):
        server = Server(BINARY).wait_ready()
        client = server.raw()
        body = json.dumps(question(thinking=True, stream=True, max_tokens=7000, ignore_eos=True)).encode()
        client.sendall(b"POST %s HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (CHAT.encode(), len(body), body))
        self.assertIn(b"200 OK", client.recv(4096))
        server.process.send_signal(signal.SIGINT)
        self.assertTrue(wait_until(lambda: any("Stopping" in line for line in server.lines)))
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.join(), 130)
        client.close()

    def test_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = glm5("serve", MODEL, "--port", str(port))
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"glm5: cannot listen on 127.0.0.1:{port}: Address already in use", result.stderr)

    def test_wrong_flags_and_models(self):
        for arguments, code, pattern in (
                (["serve", "--prot", "80"], 2, "did you mean --port?"),
                (["serve", "no/such-model"], 2, "hf download no/such-model"),
                (["serve", MODEL, "--port", "0", "--max-model-len", "16k"], 2, "max-model-len"),
                (["serve", MODEL, "--port", "0", "--kv-cache-memory-bytes", "1M", "--max-model-len", "2k"], 3, "KV cache"),
                (["serve", MODEL, "-tp", "8"], 2, "one device"),
                ([], 2, "Usage"),
        ):
            result = glm5(*arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(pattern, result.stderr)

    def test_template_kwargs_of_the_server(self):
        server = Server(BINARY, "--default-chat-template-kwargs", '{"enable_thinking": false}', "--reasoning-field", "reasoning").wait_ready()
        body = {"messages": [{"role": "user", "content": "What is nginx-light?"}], "temperature": 0}
        self.assertEqual(server.post(CHAT, body)[1]["choices"][0]["message"]["content"], NGINX)
        body["chat_template_kwargs"] = {"enable_thinking": True}
        message = server.post(CHAT, body)[1]["choices"][0]["message"]
        self.assertTrue(message["reasoning"])
        self.assertNotIn("reasoning_content", message)
        self.assertEqual(server.stop(), 0)


class CommandTest(unittest.TestCase):
    def test_generate(self):
        result = glm5("generate", MODEL, "What is nginx-light?", "--chat")
        self.assertEqual((result.returncode, result.stdout), (0, NGINX + "\n"))
        result = glm5("generate", MODEL, "[gMASK]<sop><|user|>What is nginx-light?<|assistant|></think>", "--max-tokens", "4")
        self.assertEqual(result.returncode, 0)
        self.assertTrue(NGINX.startswith(result.stdout.strip()), result.stdout)

    def test_generate_finds_the_bundled_model(self):
        with tempfile.TemporaryDirectory() as folder:
            result = glm5("generate", "nano", "What is nginx-light?", "--chat", cwd=folder)
        self.assertEqual((result.returncode, result.stdout), (0, NGINX + "\n"))

    def test_inspect(self):
        result = glm5("inspect", MODEL, "--tensors")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("model.layers.0.self_attn.q_a_proj.weight ", result.stdout)
        self.assertIn("Every expected tensor is there", result.stdout)

    def test_inspect_without_the_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("config.json", "model.safetensors.index.json"):
                os.symlink(os.path.join(MODEL, name), os.path.join(folder, name))
            result = glm5("inspect", folder)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("is listed", result.stdout)
            with open(os.path.join(MODEL, "model.safetensors.index.json"), encoding="utf-8") as file:
                index = json.load(file)
            index["weight_map"].pop("model.norm.weight")
            os.unlink(os.path.join(folder, "model.safetensors.index.json"))
            with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
                json.dump(index, file)
            result = glm5("inspect", folder)
            self.assertEqual(result.returncode, 2, result.stdout)
            self.assertIn("model.norm.weight", result.stdout)

    def test_version(self):
        self.assertRegex(glm5("--version").stdout, r"^glm5 \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
