#!/usr/bin/env python3
"""Writes tests/fixtures/loadgen/: what numpy, Python's random and the Hugging Face tokenizers library make of the
recipes of docs/benchmarking.md.

  random.json    draws of numpy.random.default_rng, of the legacy numpy.random and of Python's random; arrival times
  datasets.json  prompts of the four datasets with the tokenizer of models/glm5-nano; conversations.json and
                 prompts.jsonl are the files that two of them read
  figures.json   records, and their figures by numpy, with the table and the keys of the result file

Run from the root of the checkout: python3 tools/make_loadgen_fixtures.py (numpy and tokenizers are needed)
"""

import json
import math
import pathlib
import random

import numpy as np
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "tests/fixtures/loadgen"
TOKENIZER = tokenizers.Tokenizer.from_file(str(ROOT / "models/glm5-nano/tokenizer.json"))
VOCAB = TOKENIZER.get_vocab_size(with_added_tokens=False)


def write(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


# --- random.json

BOUNDS = [(0, 4096), (5, 6), (0, 154820), (-7, 9), (0, 2**32), (3, 3 + 2**31 + 1), (0, 3), (0, 1000003)] * 6
HIGHS = [4096, 1, 154820, 7, 2**32, 2**31 + 1, 2, 3] * 6


def generator_draws(seed):
    rng = np.random.default_rng(seed)
    raw = np.random.default_rng(seed).bit_generator.random_raw(6)
    # One draw of size 1 per bound: the spare half of a 64-bit output is kept between them.
    return {"seed": seed, "raw": [str(int(v)) for v in raw],
            "integers": [[low, high, int(rng.integers(low, high, size=1)[0])] for low, high in BOUNDS]}


def legacy_draws(seed):
    out = {"seed": seed, "gamma": [], "integers": []}
    for shape in (0.2, 0.5, 1.0, 1.5, 4.0, 100.0):
        np.random.seed(seed)
        out["gamma"].append([shape, [float(np.random.gamma(shape=shape, scale=0.25)) for _ in range(40)]])
    np.random.seed(seed)
    out["integers"] = [[high, int(np.random.randint(0, high, size=1)[0])] for high in HIGHS]
    out["gamma_after_integers"] = float(np.random.gamma(shape=1.0, scale=2.0))
    return out


def python_draws(seed):
    random.seed(seed)
    items = list(range(100))
    random.shuffle(items)
    return {"seed": seed, "shuffled": items, "choices": [random.choice(range(n)) for n in (1, 2, 3, 64, 65, 1000) * 4]}


def arrivals(seed, count, rate, burstiness, ramp=None, start=0, end=0):
    np.random.seed(seed)
    times = []
    for i in range(count):
        progress = i / max(count - 1, 1)
        now = rate if ramp is None else start + (end - start) * progress if ramp == "linear" \
            else start * (end / start) ** progress
        if math.isinf(burstiness):
            times.append(1.0 / now)
        else:
            times.append(np.random.gamma(shape=burstiness, scale=1.0 / (now * burstiness)))
    times = np.cumsum(times)
    if ramp is None:
        times = times * (count / rate / times[-1])
    return {"seed": seed, "count": count, "rate": rate, "burstiness": "inf" if math.isinf(burstiness) else burstiness,
            "ramp": ramp, "start": start, "end": end, "times": [float(t) for t in times]}


# --- datasets.json

def encode(text):
    return TOKENIZER.encode(text, add_special_tokens=False).ids


def decode(ids):
    return TOKENIZER.decode(ids, skip_special_tokens=False)


def fit(tokens, length, draw):
    for left in range(10, -1, -1):
        text = decode(tokens)
        tokens = encode(text)
        if left == 0 or len(tokens) == length:
            return text, tokens
        tokens = tokens[:length] if len(tokens) > length else tokens + draw(length - len(tokens))


def random_dataset(seed, count, input_len, output_len, input_ratio, output_ratio, prefix_len):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(math.floor(input_len * (1 - input_ratio)), math.ceil(input_len * (1 + input_ratio)) + 1,
                          size=count)
    outputs = rng.integers(max(1, math.floor(output_len * (1 - output_ratio))),
                           max(1, math.ceil(output_len * (1 + output_ratio))) + 1, size=count)
    offsets = rng.integers(0, VOCAB, size=count)
    allowed = np.arange(VOCAB)
    prefix = allowed[rng.integers(0, VOCAB, size=prefix_len)].tolist() if prefix_len else []
    samples = []
    for i in range(count):
        tokens = prefix + allowed[(offsets[i] + i + np.arange(inputs[i])) % VOCAB].tolist()
        text, tokens = fit(tokens, len(tokens), lambda n: rng.integers(0, VOCAB, size=n).tolist())
        samples.append([text, len(tokens), int(outputs[i])])
    return {"seed": seed, "count": count, "input_len": input_len, "output_len": output_len, "input_ratio": input_ratio,
            "output_ratio": output_ratio, "prefix_len": prefix_len, "samples": samples}


def prefix_repetition(seed, count, prefix_len, suffix_len, num_prefixes, output_len):
    random.seed(seed)
    np.random.seed(seed)

    def draw(n):
        return np.random.randint(0, VOCAB, size=n).tolist()

    samples = []
    for _ in range(num_prefixes):
        prefix = fit(draw(prefix_len), prefix_len, draw)[1]
        for _ in range(count // num_prefixes):
            tokens = prefix + fit(draw(suffix_len), suffix_len, draw)[1]
            samples.append([decode(tokens), len(tokens), output_len])
    random.shuffle(samples)
    return {"seed": seed, "count": count, "prefix_len": prefix_len, "suffix_len": suffix_len,
            "num_prefixes": num_prefixes, "output_len": output_len, "samples": samples,
            "next_gamma": float(np.random.gamma(shape=1.0, scale=1.0))}


def oversampled(samples, count, seed):
    random.seed(seed)
    return samples + [random.choice(samples) for _ in range(count - len(samples))]


def sharegpt(conversations, seed, count, output_len):
    data = [c for c in conversations if len(c.get("conversations", [])) >= 2]
    random.seed(seed)
    random.shuffle(data)
    samples = []
    for entry in data:
        if len(samples) == count:
            break
        prompt, answer = (turn["value"] for turn in entry["conversations"][:2])
        prompt_len = len(encode(prompt))
        answer_len = len(encode(answer)) if output_len is None else output_len
        if prompt_len < 4 or (output_len is None and answer_len < 4) or prompt_len > 1024 \
                or prompt_len + answer_len > 2048:
            continue
        samples.append([prompt, prompt_len, answer_len])
    return {"seed": seed, "count": count, "output_len": output_len, "samples": oversampled(samples, count, seed)}


def custom(lines, seed, count):
    data = list(lines)
    random.seed(seed)
    random.shuffle(data)
    samples = [[line["prompt"], len(encode(line["prompt"])), line.get("output_tokens", 256)] for line in data[:count]]
    return {"seed": seed, "count": count, "samples": oversampled(samples, count, seed)}


def make_files():
    words = ["package", "shelf", "the", "green", "delivers", "morning", "twelve", "to", "\u00e4pfel", "\u4e2d\u6587", "where?"]
    rng = random.Random(5)

    def text(length):
        return " ".join(rng.choice(words) for _ in range(length))

    conversations = [{"id": f"c{i}", "conversations": [{"from": "human", "value": text(rng.randint(1, 60))},
                                                       {"from": "gpt", "value": text(rng.randint(1, 60))}]}
                     for i in range(30)]
    conversations[3]["conversations"].pop()
    conversations[4] = {"id": "no turns"}
    conversations[5]["conversations"][0]["value"] = text(2000)
    conversations[6]["conversations"][1]["value"] = text(4000)
    conversations[7]["conversations"] += [{"from": "human", "value": "more"}]
    lines = [{"prompt": text(rng.randint(1, 20))} for i in range(12)]
    lines[2]["output_tokens"] = 7
    return conversations, lines


# --- figures.json

PERCENTILES = [50, 99, 99.9]


def make_records(seed, count):
    rng = random.Random(seed)
    records = []
    for i in range(count):
        itls = [round(rng.expovariate(40), 6) for _ in range(rng.choice([0, 1, 7, 60, 160]))]
        ttft = round(0.02 + rng.expovariate(3), 6)
        records.append({"start": round(0.21 + i * 0.037, 6), "queue": round(rng.random(), 6), "ttft": ttft, "itls": itls,
                        "latency": ttft + sum(itls), "input_tokens": rng.randint(1, 900),
                        "output_tokens": rng.choice([1, len(itls) + 1, 2 * len(itls) + 1]),
                        "ok": i % 9 != 4, "error": "" if i % 9 != 4 else rng.choice(["HTTP 429", "connection refused"])})
    return records


def figures_of(records, duration, goodput):
    good = [r for r in records if r["ok"]]
    tpots = [(r["latency"] - r["ttft"]) / (r["output_tokens"] - 1) if r["output_tokens"] > 1 else 0.0 for r in good]
    series = {"ttft": [r["ttft"] for r in good], "tpot": [t for t, r in zip(tpots, good) if r["output_tokens"] > 1],
              "itl": [gap for r in good for gap in r["itls"]], "e2el": [r["latency"] for r in good],
              "client_queue_time": [r["queue"] for r in good]}
    first = min(r["start"] for r in good)
    buckets = np.zeros(1000)
    for r in good:
        time = r["start"] + r["ttft"]
        buckets[int(time - first)] += 1
        for gap in r["itls"]:
            time += gap
            buckets[int(time - first)] += 1
    edges = sorted([(r["start"], 1) for r in good] + [(r["start"] + r["latency"], -1) for r in good])
    total_in, total_out = sum(r["input_tokens"] for r in good), sum(r["output_tokens"] for r in good)
    met = sum(r["ttft"] * 1000 <= goodput["ttft"] and tpot * 1000 <= goodput["tpot"]
              and r["latency"] * 1000 <= goodput["e2el"] for r, tpot in zip(good, tpots))
    out = {"duration": duration, "completed": len(good), "failed": len(records) - len(good),
           "total_input_tokens": total_in, "total_output_tokens": total_out,
           "request_throughput": len(good) / duration, "request_goodput": met / duration,
           "output_throughput": total_out / duration, "total_token_throughput": (total_in + total_out) / duration,
           "max_output_tokens_per_s": float(buckets.max()),
           "max_concurrent_requests": int(np.cumsum([delta for _, delta in edges]).max()), "rtfx": 0.0}
    for name, values in series.items():
        out[f"mean_{name}_ms"] = float(np.mean(values) * 1000)
        out[f"median_{name}_ms"] = float(np.median(values) * 1000)
        out[f"std_{name}_ms"] = float(np.std(values) * 1000)
        for p in PERCENTILES:
            out[f"p{p}_{name}_ms"] = float(np.percentile(values, p) * 1000)
    return out


def table_of(f, concurrency, rate):
    lines = ["{s:{c}^{n}}".format(s=" Serving Benchmark Result ", n=50, c="=")]

    def row(name, value):
        lines.append(("{:<40} {:<10.2f}" if isinstance(value, float) else "{:<40} {:<10}").format(name, value))

    row("Successful requests:", f["completed"])
    row("Failed requests:", f["failed"])
    row("Maximum request concurrency:", concurrency)
    row("Request rate configured (RPS):", rate)
    row("Benchmark duration (s):", f["duration"])
    row("Total input tokens:", f["total_input_tokens"])
    row("Total generated tokens:", f["total_output_tokens"])
    row("Request throughput (req/s):", f["request_throughput"])
    row("Request goodput (req/s):", f["request_goodput"])
    row("Output token throughput (tok/s):", f["output_throughput"])
    row("Peak output token throughput (tok/s):", f["max_output_tokens_per_s"])
    row("Peak concurrent requests:", float(f["max_concurrent_requests"]))
    row("Total token throughput (tok/s):", f["total_token_throughput"])
    for key, name, title in (("ttft", "TTFT", "Time to First Token"),
                             ("tpot", "TPOT", "Time per Output Token (excl. 1st token)"),
                             ("itl", "ITL", "Inter-token Latency"), ("e2el", "E2EL", "End-to-end Latency"),
                             ("client_queue_time", "Client Queue Time", "Client-side Queueing")):
        lines.append("{s:{c}^{n}}".format(s=title, n=50, c="-"))
        row(f"Mean {name} (ms):", f[f"mean_{key}_ms"])
        row(f"Median {name} (ms):", f[f"median_{key}_ms"])
        for p in PERCENTILES:
            row(f"P{p} {name} (ms):", f[f"p{p}_{key}_ms"])
    lines.append("{s:{c}^{n}}".format(s="Speculative Decoding", n=50, c="-"))
    row("Acceptance rate (%):", 100 * 450 / 900)
    row("Acceptance length:", 1 + 450 / 300)
    row("Drafts:", 300)
    row("Draft tokens:", 900)
    row("Accepted tokens:", 450)
    lines.append("Per-position acceptance (%):")
    for i, share in enumerate((0.8, 0.5, 0.2)):
        row(f"  Position {i}:", 100 * share)
    lines.append("=" * 50)
    return "\n".join(lines) + "\n"


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write("random.json", {
        "numpy": np.__version__,
        "generator": [generator_draws(seed) for seed in (0, 1, 20261, 2**32 - 1)],
        "legacy": [legacy_draws(seed) for seed in (0, 7, 2**32 - 1)],
        "python": [python_draws(seed) for seed in (0, 1, 2**32 - 1)],
        "arrivals": [arrivals(0, 5, 10.0, 1.0), arrivals(3, 40, 2.5, 0.4), arrivals(3, 40, 2.5, 3.0),
                     arrivals(0, 6, 4.0, math.inf), arrivals(1, 20, 0, 1.0, "linear", 2.0, 9.0),
                     arrivals(1, 20, 0, 1.0, "exponential", 1.0, 32.0)]})
    conversations, lines = make_files()
    write("conversations.json", conversations)
    (OUT / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write("datasets.json", {
        "random": [random_dataset(0, 5, 32, 8, 0.0, 0.0, 0), random_dataset(3, 8, 40, 20, 0.5, 0.25, 9)],
        "prefix_repetition": [prefix_repetition(11, 13, 20, 12, 3, 6)],
        "sharegpt": [sharegpt(conversations, 0, 10, None), sharegpt(conversations, 4, 60, 5)],
        "custom": [custom(lines, 0, 6), custom(lines, 2, 20)]})
    records = make_records(9, 40)
    goodput = {"ttft": 500.0, "tpot": 40.0, "e2el": 4000.0}
    found = figures_of(records, 12.375, goodput)
    write("figures.json", {"records": records, "goodput": goodput, "percentiles": PERCENTILES, "figures": found,
                           "table": table_of(found, 16, 3.5)})


if __name__ == "__main__":
    main()
