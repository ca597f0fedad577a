#!/usr/bin/env python3
"""glm5-nano over HTTP at 1, 16 and 64 streams, beside the bare decoder of the same build.

Usage: serve_bench.py BUILD_DIR. Every stream has a prompt of its own and generates the same number of tokens, greedily.
Standard library only; the client's own time is inside the figures.
"""
import json
import os
import re
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from server import Server  # noqa: E402

PROMPT_TOKENS, OUTPUT_TOKENS = 512, 64


def one_stream(server, index):
    prompt = [(index * 7919 + i * 31) % 4000 for i in range(PROMPT_TOKENS)]
    connection = server.connect()
    connection.request("POST", "/v1/completions", json.dumps({
        "prompt": prompt, "max_tokens": OUTPUT_TOKENS, "temperature": 0, "ignore_eos": True, "stream": True}),
        {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert response.read().endswith(b"data: [DONE]\n\n")
    connection.close()


def run(server, num_streams):
    """Seconds until every stream has ended."""
    threads = [threading.Thread(target=one_stream, args=(server, i)) for i in range(num_streams)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begin


def main():
    build = sys.argv[1]
    output = subprocess.run([os.path.join(build, "model_bench")], check=True, capture_output=True, text=True).stdout
    prefill_rate = float(re.search(rf"prefill of {PROMPT_TOKENS} tokens: (\d+) tokens/s", output).group(1))
    decode_rate = {int(batch): float(rate) for batch, rate in
                   re.findall(r"decode of\s+(\d+) sequences, context \d+: (\d+) tokens/s", output)}
    server = Server(os.path.join(build, "glm5"), "--disable-access-log", "--no-enable-prefix-caching").wait_ready()
    try:
        run(server, 1)
        for streams in (1, 16, 64):
            seconds = min(run(server, streams) for _ in range(2))
            bare = streams * (PROMPT_TOKENS / prefill_rate + OUTPUT_TOKENS / decode_rate[streams])
            print(f"{streams:3} streams, {PROMPT_TOKENS} tokens in, {OUTPUT_TOKENS} out: {streams / seconds:.2f} requests/s, "
                  f"{streams * OUTPUT_TOKENS / seconds:.0f} tokens/s out; the bare decoder needs {bare / seconds:.0%} of the time")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
