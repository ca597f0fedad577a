#!/usr/bin/env python3
"""The server as the official openai client sees it: every field and every class of error. GLM5_BINARY names the binary.

Needs the openai package: scripts/e2e-venv makes an environment that has it.
"""
import concurrent.futures
import os
import sys
import time
import unittest

import openai

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import Server, wait_until  # noqa: E402

BINARY = os.path.abspath(os.environ["GLM5_BINARY"])
NGINX = "nginx-light: nginx web/proxy server (basic version)."
QUIET = {"chat_template_kwargs": {"enable_thinking": False}}
PROMPT = "[gMASK]<sop><|user|>What is nginx-light?<|assistant|></think>"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def messages(text="What is nginx-light?"):
    return [{"role": "user", "content": text}]


class OpenAiClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY, "--served-model-name", "nano", "alias").wait_ready()
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.server.port}/v1", api_key="none", max_retries=0,
                                   timeout=120)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.server.stop() == 0, cls.server.lines[-5:]

    def chat(self, text="What is nginx-light?", extra=None, **fields):
        fields.setdefault("temperature", 0)
        return self.client.chat.completions.create(model="nano", messages=messages(text),
                                                   extra_body={**QUIET, **(extra or {})}, **fields)

    def complete(self, prompt=PROMPT, extra=None, **fields):
        fields.setdefault("temperature", 0)
        return self.client.completions.create(model="nano", prompt=prompt, extra_body=extra, **fields)

    def sampled(self, **fields):
        """Texts at a temperature so high that two of them never agree by chance."""
        return [choice.text for choice in
                self.complete("a", temperature=2, max_tokens=20, extra={"ignore_eos": True, "top_p": 1}, **fields).choices]

    # Chat.

    def test_answer(self):
        answer = self.chat()
        self.assertEqual(answer.choices[0].message.content, NGINX)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.model, "nano")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertIsNotNone(answer.usage.prompt_tokens_details.cached_tokens)

    def test_stream(self):
        chunks = list(self.chat(stream=True))
        self.assertTrue(all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), NGINX)
        self.assertEqual([chunk.choices[0].finish_reason for chunk in chunks][-2:], [None, "stop"])

    def test_stream_options(self):
        whole = self.chat().usage
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.completion_tokens)
        self.assertEqual(chunks[-1].usage.prompt_tokens, whole.prompt_tokens)
        every = list(self.chat(stream=True, stream_options={"include_usage": True, "continuous_usage_stats": True}))
        self.assertTrue(all(chunk.usage for chunk in every))

    def test_reasoning(self):
        answer = self.client.chat.completions.create(model="nano", messages=messages(), temperature=0, max_tokens=60)
        self.assertTrue(answer.choices[0].message.reasoning_content)
        self.assertGreater(answer.usage.completion_tokens_details.reasoning_tokens, 0)
        answer = self.chat(reasoning_effort="high", max_tokens=5)  # the kwargs win
        self.assertTrue(answer.choices[0].message.content)

    def test_stop(self):
        for stop in ("proxy", ["nothing", "proxy"]):
            answer = self.chat(stop=stop)
            self.assertEqual(answer.choices[0].message.content, "nginx-light: nginx web/")
            self.assertEqual((answer.choices[0].finish_reason, answer.choices[0].stop_reason), ("stop", "proxy"))
        included = self.chat(stop="proxy", extra={"include_stop_str_in_output": True})
        self.assertEqual(included.choices[0].message.content, "nginx-light: nginx web/proxy")

    def test_stop_token_ids_and_min_tokens(self):
        first = self.complete(max_tokens=8, extra={"return_token_ids": True}).choices[0].token_ids
        self.assertEqual(len(first), 8)
        stop = first[3]
        cut = self.complete(max_tokens=8, extra={"stop_token_ids": [stop], "return_token_ids": True}).choices[0]
        self.assertEqual((cut.token_ids, cut.finish_reason, cut.stop_reason),
                         (first[:first.index(stop) + 1], "stop", stop))
        longer = self.complete(max_tokens=100, extra={"min_tokens": 60, "return_token_ids": True})
        self.assertGreaterEqual(longer.usage.completion_tokens, 60)
        ignoring = self.complete(max_tokens=70, extra={"ignore_eos": True})
        self.assertEqual(ignoring.usage.completion_tokens, 70)

    def test_seed(self):
        self.assertEqual(self.sampled(seed=11), self.sampled(seed=11))
        self.assertEqual(len({self.sampled(seed=seed)[0] for seed in range(4)}), 4)
        self.assertNotEqual(self.sampled(), self.sampled())
        alone = self.sampled(seed=12)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # whatever else is in the batch
            together = list(pool.map(lambda seed: self.sampled(seed=seed), [12, 1, 2, 3, 12, 5, 6, 12]))
        self.assertEqual([together[i] for i in (0, 4, 7)], [alone] * 3)

    def test_defaults_of_the_model_sample(self):
        def texts():
            return {self.client.completions.create(model="nano", prompt="a", max_tokens=30).choices[0].text for _ in range(4)}
        self.assertGreater(len(texts()), 1)

    def test_n(self):
        texts = self.sampled(n=4, seed=3)
        self.assertEqual(len(set(texts)), 4)
        self.assertEqual(texts, self.sampled(n=4, seed=3))
        self.assertEqual(texts[0:2], self.sampled(n=2, seed=3))
        answer = self.chat(n=3, temperature=1, max_tokens=4)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        self.assertEqual(answer.usage.completion_tokens, 12)
        self.assertLess(answer.usage.prompt_tokens, 20)

        streamed, finished = ["", "", "", ""], {}
        for chunk in self.complete("a", temperature=2, max_tokens=20, n=4, seed=3, stream=True,
                                   extra={"ignore_eos": True, "top_p": 1}):
            [choice] = chunk.choices
            streamed[choice.index] += choice.text
            if choice.finish_reason:
                finished[choice.index] = choice.finish_reason
        self.assertEqual(streamed, texts)
        self.assertEqual(finished, {index: "length" for index in range(4)})

    def test_a_stop_string_ends_one_choice_alone(self):
        full = self.sampled(n=3, seed=21)
        stop = full[1][4:8]
        cut = self.sampled(n=3, seed=21, stop=[stop])
        self.assertEqual(cut, [text.split(stop)[0] for text in full])
        self.assertNotEqual(cut, full)

    def test_logit_bias_and_filters(self):
        greedy = self.complete(max_tokens=1, extra={"return_token_ids": True}).choices[0]
        banned = self.complete(max_tokens=1, logit_bias={str(greedy.token_ids[0]): -100}, extra={"return_token_ids": True})
        self.assertNotEqual(banned.choices[0].token_ids, greedy.token_ids)
        forced = self.complete(max_tokens=5, logit_bias={"300": 100}, extra={"return_token_ids": True, "ignore_eos": True})
        self.assertEqual(forced.choices[0].token_ids, [300] * 5)
        text = self.complete(max_tokens=20).choices[0].text
        for extra in ({"top_k": 1}, {"min_p": 1}, {"top_p": 1e-6}):
            self.assertEqual(self.complete(max_tokens=20, temperature=1.5, extra=extra).choices[0].text, text, extra)
        self.assertEqual(self.complete(max_tokens=20, temperature=0.001, extra={"top_p": 1}).choices[0].text, text)

    def test_penalties(self):
        bias = {"300": 50, "301": 49.5}
        repeated = self.complete("a", max_tokens=6, logit_bias=bias, extra={"return_token_ids": True}).choices[0].token_ids
        self.assertEqual(len(set(repeated)), 1)
        for fields, extra in (({"frequency_penalty": 2}, {}), ({"presence_penalty": 2}, {})):
            punished = self.complete("a", max_tokens=6, logit_bias=bias, extra={"return_token_ids": True, **extra},
                                     **fields).choices[0].token_ids
            self.assertNotEqual(punished, repeated)

    # Completions.

    def test_echo(self):
        echoed = self.complete(max_tokens=100, echo=True)
        self.assertEqual(echoed.choices[0].text, PROMPT + NGINX)
        only = self.complete("good day", max_tokens=0, echo=True)
        self.assertEqual((only.choices[0].text, only.choices[0].finish_reason, only.usage.completion_tokens),
                         ("good day", "length", 0))
        streamed = "".join(chunk.choices[0].text for chunk in self.complete(max_tokens=100, echo=True, stream=True))
        self.assertEqual(streamed, PROMPT + NGINX)

    def test_prompt_lists(self):
        ids = self.client.post("/tokenize", body={"prompt": PROMPT}, cast_to=object)["tokens"]
        for prompts in ([PROMPT, PROMPT], [ids, ids], [PROMPT]):
            answer = self.complete(prompts, max_tokens=100)
            self.assertEqual([choice.text for choice in answer.choices], [NGINX] * len(prompts))
            self.assertEqual([choice.index for choice in answer.choices], list(range(len(prompts))))
            self.assertEqual(answer.usage.prompt_tokens, len(prompts) * len(ids))
        self.assertEqual(self.complete(ids, max_tokens=100).choices[0].text, NGINX)
        answer = self.complete(["one two", "three"], n=2, temperature=2, max_tokens=3, echo=True)
        self.assertEqual([choice.text.startswith("one two") for choice in answer.choices], [True, True, False, False])
        self.assertEqual([choice.text.startswith("three") for choice in answer.choices], [False, False, True, True])
        texts = ["", ""]
        for chunk in self.complete([PROMPT, ids], max_tokens=100, stream=True):
            texts[chunk.choices[0].index] += chunk.choices[0].text
        self.assertEqual(texts, [NGINX] * 2)

    # Models and tokenizer.

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["nano", "alias"])
        self.assertEqual(self.client.models.retrieve("alias").id, "alias")
        self.assertEqual(self.client.models.retrieve("nano").max_model_len, 8192)
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("gpt-4")

    def test_tokenize_and_back(self):
        text = "Ünïcode 漢字 🙂 <|user|> and text"
        answer = self.client.post("/tokenize", body={"prompt": text, "return_token_strs": True}, cast_to=object)
        self.assertEqual(answer["count"], len(answer["tokens"]))
        self.assertEqual(len(answer["token_strs"]), answer["count"])
        self.assertEqual(self.client.post("/detokenize", body={"tokens": answer["tokens"]}, cast_to=object)["prompt"], text)
        chat = self.client.post("/tokenize", body={"messages": messages(), **QUIET}, cast_to=object)["tokens"]
        self.assertEqual(chat, self.client.post("/tokenize", body={"prompt": PROMPT}, cast_to=object)["tokens"])

    # Errors.

    def refused(self, kind, status, param, pattern, call):
        with self.assertRaises(kind) as caught:
            call()
        error = caught.exception
        self.assertEqual((error.status_code, error.param), (status, param))
        self.assertEqual(int(error.code), status)
        self.assertRegex(error.message, pattern)
        return error

    def test_wrong_fields(self):
        for param, fields, pattern in (
                ("temperature", {"temperature": -1}, "at least 0"), ("top_p", {"top_p": 0}, "above 0 and at most 1"),
                ("top_p", {"top_p": "x"}, "must be a number, not string"), ("n", {"n": 0}, "1 to 128"),
                ("n", {"n": 2}, "when temperature is 0"), ("stop", {"stop": ""}, "must not be empty"),
                ("seed", {"seed": "x"}, "must be an integer"), ("max_tokens", {"max_tokens": 0}, "at least 1"),
                ("presence_penalty", {"presence_penalty": 3}, "-2 to 2"),
                ("logit_bias.4132", {"logit_bias": {"4132": 1}}, "out of vocabulary"),
                ("logit_bias.1", {"logit_bias": {"1": 101}}, "-100 to 100"),
                ("logprobs", {"logprobs": True}, "not supported by this version"),
                ("response_format", {"response_format": {"type": "json_object"}}, "not supported by this version"),
                ("tool_choice", {"tools": [WEATHER], "tool_choice": "required"}, "not supported by this version"),
                ("stream_options", {"stream_options": {"include_usage": True}}, "needs stream"),
        ):
            with self.subTest(param=param, fields=fields):
                self.refused(openai.BadRequestError, 400, param, pattern, lambda: self.chat(**fields))
        for param, extra, pattern in (
                ("min_p", {"min_p": 2}, "0 to 1"), ("top_k", {"top_k": -5}, "at least -1"),
                ("repetition_penalty", {"repetition_penalty": 0}, "above 0"),
                ("min_tokens", {"min_tokens": 9, "max_tokens": 8}, "at most max_tokens, which is 8"),
                ("ignore_eos", {"ignore_eos": 1}, "must be a boolean"),
                ("stop_token_ids[0]", {"stop_token_ids": [9999]}, "out of vocabulary"),
                ("guided_json", {"guided_json": {}}, "not supported by this version"),
                ("priority", {"priority": 5}, "must be 0"),
        ):
            with self.subTest(param=param):
                self.refused(openai.BadRequestError, 400, param, pattern, lambda: self.chat(extra=extra))

    def test_messages_too_long_and_models(self):
        self.refused(openai.BadRequestError, 400, "messages[0].role", "robot", lambda: self.client.chat.completions.create(
            model="nano", messages=[{"role": "robot", "content": "x"}]))
        self.refused(openai.BadRequestError, 400, "input_tokens",
                     r"maximum context length is 8192 tokens.*requested 1 output tokens.*contains 9000 input tokens",
                     lambda: self.complete([300] * 9000))
        self.refused(openai.BadRequestError, 400, "input_tokens", "requested 8190 output tokens.*contains 3 input tokens",
                     lambda: self.complete([300] * 3, max_tokens=8190))
        self.refused(openai.NotFoundError, 404, "model", "The model `gpt-4` does not exist", lambda:
                     self.client.chat.completions.create(model="gpt-4", messages=messages()))

    def test_routes_and_bodies(self):
        self.refused(openai.NotFoundError, 404, None, "/v1/nothing|[Nn]ot", lambda: self.client.get("/nothing", cast_to=object))
        self.refused(openai.NotFoundError, 404, None, "text generation only", lambda:
                     self.client.embeddings.create(model="nano", input="x", encoding_format="float"))
        self.refused(openai.APIStatusError, 405, None, "GET|[Mm]ethod", lambda: self.client.get("/chat/completions", cast_to=object))
        with self.assertRaises(openai.BadRequestError):  # no JSON
            self.client.post("/chat/completions", cast_to=object, content=b"{",
                             options={"headers": {"Content-Type": "application/json"}})

    # Clients that leave.

    def loads(self):
        answer = self.client.get("/loads", cast_to=object)
        return answer["server_load"], answer["loads"][0]["num_running_reqs"], answer["loads"][0]["num_used_pages"]

    def test_cancel_in_mid_stream_frees_the_pages(self):
        for n in (1, 3):
            stream = self.complete([300 + i % 50 for i in range(700)], stream=True, n=n, temperature=1, max_tokens=7000,
                                   extra={"ignore_eos": True})
            for _, _chunk in zip(range(5), stream):
                pass
            self.assertGreaterEqual(self.loads()[2], 11)
            stream.close()
            left = time.monotonic()
            self.assertTrue(wait_until(lambda: self.loads() == (0, 0, 0), 10), self.loads())
            self.assertLess(time.monotonic() - left, 2)


class AuthTest(unittest.TestCase):
    def test_keys(self):
        server = Server(BINARY, "--api-key", "key-alpha", "--api-key", "key-beta").wait_ready()
        try:
            url = f"http://127.0.0.1:{server.port}/v1"
            for key in ("key-alpha", "key-beta"):
                with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
                    self.assertEqual(len(list(client.models.list())), 1)
            with openai.OpenAI(base_url=url, api_key="secret-guess", max_retries=0) as client:
                with self.assertRaises(openai.AuthenticationError) as caught:
                    client.chat.completions.create(model="nano", messages=messages())
                self.assertEqual(caught.exception.status_code, 401)
                self.assertEqual(caught.exception.type, "authentication_error")
                self.assertEqual(caught.exception.message.count("secret-guess"), 0)
            self.assertEqual(server.request("GET", "/v1/models", headers={"x-api-key": "key-beta"})[0], 200)
            status, headers, _ = server.request("GET", "/v1/models")
            self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
            for path in ("/health", "/livez", "/readyz", "/ping", "/metrics"):
                self.assertEqual(server.request("GET", path)[0], 200, path)
        finally:
            self.assertEqual(server.stop(), 0)
        log = "\n".join(server.lines) + server.output
        for key in ("key-alpha", "key-beta", "secret-guess"):
            self.assertNotIn(key, log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
