#!/usr/bin/env python3
"""Prints results of `glm5 bench serve` and `vllm bench serve` side by side.

  python3 tools/compare_bench.py A.json B.json [C.json …]

A file holds one JSON object (--save-result) or one per line (--append-result); each object is a column. The last column
is B / A when there are two. Warns of settings that make a comparison unfair: other data, rates, concurrency, failures,
acceptance of drafts. Standard library only."""
import argparse
import json
import os
import sys

SETTINGS = ["backend", "model_id", "num_prompts", "request_rate", "burstiness", "max_concurrency"]
TOTALS = ["completed", "failed", "unfinished", "duration", "total_input_tokens", "total_output_tokens",
          "request_throughput", "request_goodput", "output_throughput", "total_token_throughput",
          "max_output_tokens_per_s", "max_concurrent_requests", "spec_decode_acceptance_rate",
          "spec_decode_acceptance_length"]
METRICS = ["ttft", "tpot", "itl", "e2el", "client_queue_time"]
# Between results that are to be compared these must be equal, or close to each other.
EQUAL = ["num_prompts", "request_rate", "burstiness", "max_concurrency"]
CLOSE = {"total_input_tokens": 0.01, "total_output_tokens": 0.01, "spec_decode_acceptance_length": 0.02}


def read_results(path):
    """[(name, result)] of one file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        objects = [json.loads(text)]
    except json.JSONDecodeError:
        objects = [json.loads(line) for line in text.splitlines() if line.strip()]
    name = os.path.splitext(os.path.basename(path))[0]
    for found in objects:
        if not isinstance(found, dict) or "duration" not in found or "completed" not in found:
            raise ValueError("no result of bench serve: duration and completed are missing")
    return [(name if len(objects) == 1 else f"{name}:{i + 1}", found) for i, found in enumerate(objects)]


def statistics_of(metric, results):
    """The keys of a metric that any result has: mean, median, std, then percentiles by their number."""
    suffix = f"_{metric}_ms"
    kinds = {key[:-len(suffix)] for _, found in results for key in found if key.endswith(suffix)}
    percentiles = sorted((kind for kind in kinds if kind[:1] == "p" and is_number(kind[1:])), key=lambda kind: float(kind[1:]))
    return [kind + suffix for kind in ["mean", "median", "std"] if kind in kinds] + [kind + suffix for kind in percentiles]


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def text_of(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)


def ratio_of(a, b):
    numbers = [value for value in (a, b) if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return f"{b / a:.3f}" if len(numbers) == 2 and a else ""


def table_of(results):
    keys = SETTINGS + TOTALS + [key for metric in METRICS for key in statistics_of(metric, results)]
    rows = [["", *(name for name, _ in results)]]
    if len(results) == 2:
        rows[0].append("B / A")
    for key in keys:
        values = [found.get(key) for _, found in results]
        if all(value is None for value in values):
            continue
        row = [key, *(text_of(value) for value in values)]
        if len(results) == 2:
            row.append(ratio_of(*values) if key not in SETTINGS else "")
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def warnings_of(results):
    first_name, first = results[0]
    warnings = [f"{name}: {found['failed']} requests failed; they are in no figure"
                for name, found in results if found.get("failed")]
    warnings += [f"{name}: it was interrupted" for name, found in results if found.get("interrupted")]
    for name, found in results[1:]:
        for key in EQUAL:
            if first.get(key) != found.get(key):
                warnings.append(f"{key} differs: {first_name} {text_of(first.get(key))}, {name} {text_of(found.get(key))}")
        for key, share in CLOSE.items():
            a, b = first.get(key), found.get(key)
            if (a is None) != (b is None) or (a is not None and abs(a - b) > share * max(abs(a), abs(b))):
                warnings.append(f"{key} differs: {first_name} {text_of(a)}, {name} {text_of(b)}")
    return warnings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="result files of either tool")
    results = []
    for path in parser.parse_args().files:
        try:
            results += read_results(path)
        except (OSError, ValueError) as error:
            sys.exit(f"compare_bench: {path}: {error}")
    print(table_of(results))
    for warning in warnings_of(results):
        print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    main()
