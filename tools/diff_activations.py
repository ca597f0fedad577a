#!/usr/bin/env python3
"""Compares two dumps of activations of one prompt and names the first tensor that differs.

    tools/diff_activations.py EXPECTED FOUND [--tolerance 1e-3] [--all]

Each is a directory that --dump-activations or dump_activations_transformers.py wrote: step-NNNNNN/NAME.safetensors. The
steps of a dump are joined by position, so the two may have cut the prompt into different chunks. Tensors that only one
side has are not compared. Needs numpy. Exit status 1 when something differs.

A tensor of numbers differs when its relative L2 distance is above the tolerance. Selections and expert ids are compared
as sets: they differ when any row does, and the share of common entries is printed.
"""
import argparse
import json
import pathlib
import re
import sys

import numpy as np

# In the order in which a forward pass writes them.
LAYER_ORDER = ["input_norm", "q_a", "kv_a", "index_k", "index_weights", "q_norm", "q", "query", "index_q", "selection",
               "attention_latent", "attention_heads", "attention_out", "residual", "post_attention_norm", "expert_ids",
               "expert_weights", "mlp_out"]
LAST_ORDER = ["residual", "norm", "logits"]
SETS = {"selection", "expert_ids"}
STEP_INPUTS = {"token_ids", "positions", "sequence_ids", "logit_rows"}


def read_safetensors(path):
    """The one tensor of a file, as float32 or int32."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    (info,) = (value for key, value in header.items() if key != "__metadata__")
    body = data[8 + length :][slice(*info["data_offsets"])]
    if info["dtype"] == "BF16":
        values = (np.frombuffer(body, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(body, {"F32": "<f4", "I32": "<i4", "F16": "<f2"}[info["dtype"]])
    return values.reshape(info["shape"])


class Dump:
    """The rows of every tensor, by position."""

    def __init__(self, directory):
        self.steps = sorted(pathlib.Path(directory).glob("step-*"))
        if not self.steps:
            sys.exit(f"{directory}: no steps in it")
        self.inputs = []
        token_at = {}
        for step in self.steps:
            inputs = {name: read_safetensors(step / f"{name}.safetensors") for name in STEP_INPUTS - {"logit_rows"}}
            rows = step / "logit_rows.safetensors"
            inputs["logit_rows"] = read_safetensors(rows) if rows.exists() else np.zeros(0, np.int32)
            if len(set(inputs["sequence_ids"])) > 1:
                sys.exit(f"{step}: more than one sequence; dump one prompt at a time")
            for position, token in zip(inputs["positions"].tolist(), inputs["token_ids"].tolist()):
                if token_at.setdefault(position, token) != token:
                    sys.exit(f"{step}: position {position} has another token than before; dump one prompt at a time")
            self.inputs.append(inputs)
        self.tokens = token_at
        self.names = {p.stem for step in self.steps for p in step.glob("*.safetensors")} - STEP_INPUTS

    def rows(self, name):
        found = {}
        for step, inputs in zip(self.steps, self.inputs):
            path = step / f"{name}.safetensors"
            if not path.exists():
                continue
            positions = inputs["positions"]
            if name == "logits":
                positions = positions[inputs["logit_rows"]]
            for position, row in zip(positions.tolist(), read_safetensors(path)):
                found[position] = row.ravel()
        return found


def order(name):
    layer = re.fullmatch(r"layers\.(\d+)\.(\w+)", name)
    if layer:
        return (1, int(layer[1]), LAYER_ORDER.index(layer[2]))
    return (2, 0, LAST_ORDER.index(name)) if name in LAST_ORDER else (0, 0, 0)


def compare_sets(a, b):
    overlap = [len(set(x[x >= 0]) & set(y[y >= 0])) / max(1, (x >= 0).sum()) for x, y in zip(a, b)]
    same = [set(x[x >= 0]) == set(y[y >= 0]) for x, y in zip(a, b)]
    worst = int(np.argmin(overlap))
    return all(same), f"{same.count(False)} of {len(same)} rows differ, {np.mean(overlap):.4%} common", worst


def compare_numbers(a, b, tolerance):
    a, b = a.astype(np.float64), b.astype(np.float64)
    difference = np.abs(a - b)
    relative = np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-30)
    worst = int(np.argmax(difference.max(axis=1)))
    return relative <= tolerance, f"relative L2 {relative:.2e}, largest {difference.max():.2e}", worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expected")
    parser.add_argument("found")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="relative L2 (default 1e-3)")
    parser.add_argument("--all", action="store_true", help="print every tensor, not only those that differ")
    arguments = parser.parse_args()

    expected, found = Dump(arguments.expected), Dump(arguments.found)
    if any(found.tokens.get(p, t) != t for p, t in expected.tokens.items()):
        sys.exit("the dumps are of different prompts")
    names = sorted(expected.names & found.names, key=order)
    first = None
    for name in names:
        a, b = expected.rows(name), found.rows(name)
        positions = sorted(a.keys() & b.keys())
        if not positions:
            continue
        a, b = np.stack([a[p] for p in positions]), np.stack([b[p] for p in positions])
        if a.shape != b.shape:
            sys.exit(f"{name}: shapes {a.shape} and {b.shape}")
        if name.split(".")[-1] in SETS:
            same, text, worst = compare_sets(a, b)
        else:
            same, text, worst = compare_numbers(a, b, arguments.tolerance)
        if not same and first is None:
            first = name
        if arguments.all or not same:
            print(f"{'  ' if same else '* '}{name:32} {text}, worst at position {positions[worst]}")
    print(f"first that differs: {first}" if first else f"{len(names)} tensors agree")
    sys.exit(1 if first else 0)


if __name__ == "__main__":
    main()
