#!/usr/bin/env python3
"""glm5-nano over HTTP at 1, 16 and 64 streams, beside the time that the server spends in the model's steps meanwhile.

Usage: serve_bench.py BUILD_DIR. `glm5 bench serve` sends the load: every stream has a prompt of its own and generates the
same number of tokens, greedily. What is not in a step (step buffers, decoder, sampler) is planning, publishing, HTTP and
the client. Each line is the run of median duration. Standard library only.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from server import MODEL, Server  # noqa: E402

PROMPT_TOKENS, OUTPUT_TOKENS, RUNS = 512, 64, 3


def step_seconds(server):
    """Seconds in steps since the server began."""
    text = server.request("GET", "/metrics")[2].decode()
    return sum(float(value) for value in re.findall(r"^glm5:step_seconds_sum\{.*\} (\S+)$", text, re.M))


def measure(glm5, server, num_streams, num_prompts, seed):
    """(duration, seconds of it in steps) of one run of `bench serve`."""
    before = step_seconds(server)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([glm5, "bench", "serve", "--port", str(server.port), "--tokenizer", MODEL, "--temperature", "0",
                        "--random-input-len", str(PROMPT_TOKENS), "--random-output-len", str(OUTPUT_TOKENS),
                        "--num-prompts", str(num_prompts), "--max-concurrency", str(num_streams), "--seed", str(seed),
                        "--save-result", "--result-dir", folder, "--result-filename", "result.json"],
                       check=True, capture_output=True)
        with open(os.path.join(folder, "result.json")) as file:
            result = json.load(file)
    assert result["completed"] == num_prompts and result["total_output_tokens"] == num_prompts * OUTPUT_TOKENS, result
    return result["duration"], step_seconds(server) - before


def main():
    glm5 = os.path.join(sys.argv[1], "glm5")
    server = Server(glm5, "--disable-access-log", "--no-enable-prefix-caching").wait_ready()
    try:
        measure(glm5, server, 1, 2, 0)
        for streams in (1, 16, 64):
            prompts = max(streams, 8)
            runs = sorted(measure(glm5, server, streams, prompts, seed) for seed in range(1, RUNS + 1))
            seconds, in_steps = runs[RUNS // 2]
            tokens = prompts * OUTPUT_TOKENS
            print(f"{streams:3} streams, {PROMPT_TOKENS} tokens in, {OUTPUT_TOKENS} out: {prompts / seconds:.2f} requests/s, "
                  f"{tokens / seconds:.0f} tokens/s out; {in_steps / seconds:.1%} of the time in steps, "
                  f"{1e6 * (seconds - in_steps) / tokens:.0f} us a token beside them")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
