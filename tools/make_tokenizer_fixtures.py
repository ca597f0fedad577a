#!/usr/bin/env python3
"""Writes tests/fixtures/text/tokenizer_random.json: random text and what the Hugging Face tokenizers library makes of it.

Every row is encoded by three tokenizers, all made from models/glm5-nano/tokenizer.json:
  ids            the file as it is (ignore_merges false)
  pruned         without every merge whose rank is 15 modulo 16, so that entries exist which no merges reach
  pruned_ignore  the same with ignore_merges true
and with added_tokens emptied:
  plain          the file as it is, for encoding that does not recognise added tokens
Run from the root of the checkout: python3 tools/make_tokenizer_fixtures.py
"""

import json
import pathlib
import random

import tokenizers

ROOT = pathlib.Path(__file__).resolve().parent.parent
NUM_ROWS = 3000
NUM_DECODE_ROWS = 1000

# Kinds of characters that the split pattern and the merges treat differently.
ALPHABETS = [
    "etaoinshrdlu",
    "ETAOIN etaoin",
    "0123456789",
    " ",
    " \n\r\t",
    "\n\r",
    "\u00a0\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000\u0085\x0b\x0c\x1c\x1f",
    "\u180e\u200b\u200c\u200d\ufeff\u2060",
    "'\u2019stmdrvleSTMDRVLE\u017f",
    ".,;:!?()[]{}<>/\\|@#$%^&*-_=+~`\"",
    "\u0301\u0303\u0308\u20e3\ufe0f\u093f\u094d",
    "\u00bd\u00b2\u2167\u2460\u0663\u0966\U0001d7d8\u3007",
    "äöüßéèñçåøÄÖÜİıſ",
    "\u4f60\u597d\u4e16\u754c\u65e5\u672c\u8a9e\u306e\u30ab\u30bf",
    "\uac00\ub098\ub2e4\u1100\u1161\u11a8",
    "\u0627\u0644\u0639\u0631\u05d0\u05d1\u05d2",
    "\u043f\u0440\u0438\u0432\u0435\u0442\u0391\u03b1\u03b2",
    "\U0001f600\U0001f3fd\U0001f469\U0001f1e9\U0001f1ea\u2764\u2605",
    "\U00020000\U0001e030\U00010d50\U00010d40\U000323af\U000e0001\U0010ffff\ue000\ufffd\ufffe\x00\x01\x7f",
]
FRAGMENTS = ["'ll", "'VE", "<|user|>", "<think>", "</think>", "/nothink", "<|assistant|", "[gMASK]", "<sop>", "[gMASK",
             "<tool_call>", "</tool_call", "<|endoftext|>", "<|", "|>", "\r\n", "http://", "  ", "\n\n", "1234567", "a" * 70,
             " " * 60, "=" * 100, "\u4f60\u597d" * 30]


def random_text(rng, words):
    text = ""
    for _ in range(rng.choice([1, 2, 3, 5, 8, 13])):
        kind = rng.random()
        if kind < 0.35:
            text += rng.choice(["", " ", " "]) + rng.choice(words)
        elif kind < 0.42:
            text += rng.choice(FRAGMENTS)
        elif kind < 0.46:
            c = rng.randrange(0x110000)
            text += chr(c if not 0xD800 <= c < 0xE000 else 0xE9)
        else:
            alphabet = rng.choice(ALPHABETS)
            text += "".join(rng.choice(alphabet) for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 7])))
    return text


def variant(document, **model):
    document = json.loads(json.dumps(document))
    document["model"].update(model)
    return document


def main():
    rng = random.Random(16)
    document = json.loads((ROOT / "models/glm5-nano/tokenizer.json").read_text())
    vocab = document["model"]["vocab"]
    pruned = [merge for rank, merge in enumerate(document["model"]["merges"]) if rank % 16 != 15]
    documents = {
        "ids": document,
        "pruned": variant(document, merges=pruned),
        "pruned_ignore": variant(document, merges=pruned, ignore_merges=True),
        "plain": {**document, "added_tokens": []},
    }
    made = {name: tokenizers.Tokenizer.from_str(json.dumps(value)) for name, value in documents.items()}
    words = [made["ids"].decode([i]) for i in vocab.values()]
    words = [word for word in words if "\ufffd" not in word]
    words += [a.strip() + b.strip() for a, b in zip(words, reversed(words))]

    rows, decoded = [], []
    for _ in range(NUM_ROWS):
        text = random_text(rng, words)
        ids = {name: t.encode(text, add_special_tokens=False).ids for name, t in made.items()}
        row = {"text": text, "ids": ids.pop("ids")}
        row |= {name: other for name, other in ids.items() if other != row["ids"]}  # absent: the same as ids
        rows.append(row)
    for _ in range(NUM_DECODE_ROWS):
        ids = [rng.choice([rng.randrange(256), rng.randrange(4096), rng.randrange(4090, 4140)])
               for _ in range(rng.randrange(1, 9))]
        decoded.append([ids] + [made["ids"].decode(ids, skip_special_tokens=skip) for skip in (False, True)])
    path = ROOT / "tests/fixtures/text/tokenizer_random.json"
    fixture = {"oracle": f"tokenizers {tokenizers.__version__}", "rows": rows, "decoded": decoded}
    path.write_text(json.dumps(fixture, separators=(",", ":"), ensure_ascii=False) + "\n")
    counts = {name: sum(name in row for row in rows) for name in ("pruned", "pruned_ignore", "plain")}
    print(path.stat().st_size, "bytes; rows that differ from ids:", counts)


main()
