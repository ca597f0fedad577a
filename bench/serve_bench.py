#!/usr/bin/env python3
"""glm5-nano over HTTP at 1, 16 and 64 streams, beside the bare decoder of the same build.

Usage: serve_bench.py BUILD_DIR. `glm5 bench serve` sends the load: every stream has a prompt of its own and generates the
same number of tokens, greedily. Standard library only; the client's own time is inside the figures.
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


def measure(glm5, server, num_streams, num_prompts, seed):
    """The result of one run of `bench serve`."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([glm5, "bench", "serve", "--port", str(server.port), "--tokenizer", MODEL, "--temperature", "0",
                        "--random-input-len", str(PROMPT_TOKENS), "--random-output-len", str(OUTPUT_TOKENS),
                        "--num-prompts", str(num_prompts), "--max-concurrency", str(num_streams), "--seed", str(seed),
                        "--save-result", "--result-dir", folder, "--result-filename", "result.json"],
                       check=True, capture_output=True)
        with open(os.path.join(folder, "result.json")) as file:
            result = json.load(file)
    assert result["completed"] == num_prompts and result["total_output_tokens"] == num_prompts * OUTPUT_TOKENS, result
    return result


def main():
    build = sys.argv[1]
    glm5 = os.path.join(build, "glm5")
    output = subprocess.run([os.path.join(build, "model_bench")], check=True, capture_output=True, text=True).stdout
    prefill_rate = float(re.search(rf"prefill of {PROMPT_TOKENS} tokens: (\d+) tokens/s", output).group(1))
    decode_rate = {int(batch): float(rate) for batch, rate in
                   re.findall(r"decode of\s+(\d+) sequences, context \d+: (\d+) tokens/s", output)}
    server = Server(glm5, "--disable-access-log", "--no-enable-prefix-caching").wait_ready()
    try:
        measure(glm5, server, 1, 2, 0)
        for streams in (1, 16, 64):
            prompts = max(streams, 8)
            runs = [measure(glm5, server, streams, prompts, seed) for seed in range(1, RUNS + 1)]
            seconds = min(run["duration"] for run in runs)
            bare = prompts * (PROMPT_TOKENS / prefill_rate + OUTPUT_TOKENS / decode_rate[streams])
            # While all streams decode, the gap between two messages of a stream is a step.
            step_us = 1e3 * min(run["median_itl_ms"] for run in runs)
            bare_step_us = 1e6 * streams / decode_rate[streams]
            print(f"{streams:3} streams, {PROMPT_TOKENS} tokens in, {OUTPUT_TOKENS} out: {prompts / seconds:.2f} requests/s, "
                  f"{prompts * OUTPUT_TOKENS / seconds:.0f} tokens/s out; the bare decoder needs {bare / seconds:.0%} of the "
                  f"time; a decode step {step_us:.0f} us, bare {bare_step_us:.0f} us: {(step_us - bare_step_us) / streams:.0f} "
                  f"us more a token")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
