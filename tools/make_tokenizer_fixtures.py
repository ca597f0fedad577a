#!/usr/bin/env python3
"""Writes tests/fixtures/text/tokenizer_random.json: random text and what the Hugging Face tokenizers library makes of it.

Every row is encoded by three tokenizers, all made from models/glm5-nano/tokenizer.json:
  ids            the file as it is (ignore_merges false)
  pruned         without every merge whose rank is 15 modulo 16, so that entries exist which no merges reach
  pruned_ignore  the same with ignore_merges true
and with added_tokens emptied:
  plain          the file as it is, for encoding that does not recognise added tokens

Beside them: text of random tokens (decoded), one endless pre-token, how a Split by other patterns cuts text (splits), what
odd names and contents of tokens decode to (names), how Python's lossy decoder reads random bytes (repaired), added tokens
that overlap (overlaps), and a merge list with repetitions (repeated_merges).
Run from the root of the checkout: python3 tools/make_tokenizer_fixtures.py
"""

import json
import pathlib
import random
import unicodedata

import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

ROOT = pathlib.Path(__file__).resolve().parent.parent
NUM_ROWS = 2600
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


SPLIT_PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",  # GPT-2
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}]*[\p{Ll}\p{M}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
    r"[aeiou]+",  # gaps
    r"(?=t)",  # empty matches
    r"x*",
    r"(?<=n)",
    r"\d{1,3}(?=(?:\d{3})*(?!\d))",
    r"$",
]


def split_rows(rng, words):
    """[pattern, [text, ends of its pieces in bytes]…] for each pattern."""
    rows = []
    for pattern in SPLIT_PATTERNS:
        splitter = Split(Regex(pattern), "isolated")
        row = [pattern]
        # PCRE2 is at Unicode 14 and takes U+180E for a space: no text with newer characters or with that one.
        texts = [text for text in (random_text(rng, words) for _ in range(60))
                 if all(unicodedata.category(c) != "Cn" and c != "\u180e" for c in text)]
        for text in texts:
            ends, end = [], 0
            for piece, _ in splitter.pre_tokenize_str(text):
                end += len(piece.encode())
                ends.append(end)
            row.append([text, ends])
        rows.append(row)
    return rows


# Names in the byte alphabet, outside it, and mixed; contents of added tokens are names too.
ODD_NAMES = ["\u0120xq", "\u0120the", "a b", "\u4f60", "\u00e9", "\u00c3\u00a9", "\u0143", "\u0144", "\u00a0", "\u0120\u4f60", "\u017f"]


def name_rows(document):
    """[name, as an entry of the vocabulary or an added token, its text, its ids when the name is encoded]."""
    rows = []
    for name in ODD_NAMES:
        for place in ("vocab", "added"):
            changed = json.loads(json.dumps(document))
            vocab = changed["model"]["vocab"]
            if place == "vocab":
                new_id = vocab.setdefault(name, len(vocab))
                changed["model"]["ignore_merges"] = True
                changed["added_tokens"] = []
            else:
                new_id = vocab.get(name, len(vocab) + len(changed["added_tokens"]))
                changed["added_tokens"].append({**changed["added_tokens"][0], "id": new_id, "content": name})
            tokenizer = tokenizers.Tokenizer.from_str(json.dumps(changed))
            assert tokenizer.token_to_id(name) == new_id
            text = tokenizer.decode([new_id], skip_special_tokens=False)
            rows.append([name, place, text, tokenizer.encode(name + text, add_special_tokens=False).ids])
    return rows


def repaired_rows(rng):
    """[bytes in hexadecimal, their text]."""
    lone = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF]
    rows = [bytes(rng.choice(lone) for _ in range(rng.randrange(1, 12))) for _ in range(1000)]
    for _ in range(500):
        characters = "".join(rng.choice("a\u00e9\u4f60\U0001f600\U0010ffff\ud7ff\ue000") for _ in range(4)).encode()
        rows.append(characters[rng.randrange(3) :][: rng.randrange(1, 17)])
    return [[row.hex(), row.decode("utf-8", "replace")] for row in rows]


OVERLAPPING = ["<a", "<a>", "<a><b", "a><", "b", ">>>", "<a><b><a>", "bb"]


def overlap_rows(rng, document):
    """[text, ids] with OVERLAPPING as the only added tokens, which have the ids from the end of the vocabulary on."""
    vocab = document["model"]["vocab"]
    contents = [content for content in OVERLAPPING if content not in vocab]
    tokens = [{**document["added_tokens"][0], "id": len(vocab) + i, "content": content} for i, content in enumerate(contents)]
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps({**document, "added_tokens": tokens}))
    texts = ["".join(rng.choice(["<", "a", ">", "b", "<a>", "<b>", " "]) for _ in range(rng.randrange(1, 14))) for _ in range(300)]
    return {"contents": contents, "rows": [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in texts]}


def repeated_merge_rows(rng, document, words):
    """[text, ids] where every tenth merge stands at the end of the list once more."""
    merges = document["model"]["merges"]
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(variant(document, merges=merges + merges[::10])))
    texts = ["".join(rng.choice(words) for _ in range(3)) for _ in range(300)]
    return [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in texts]


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
    endless = "".join(rng.choice(words).strip() for _ in range(1500))
    endless = "".join(c for c in endless if c.isalpha())
    path = ROOT / "tests/fixtures/text/tokenizer_random.json"
    fixture = {"oracle": f"tokenizers {tokenizers.__version__}", "rows": rows, "decoded": decoded}
    fixture["endless"] = {"text": endless, "ids": made["ids"].encode(endless, add_special_tokens=False).ids}
    fixture |= {"splits": split_rows(rng, words), "names": name_rows(document), "repaired": repaired_rows(rng)}
    fixture |= {"overlaps": overlap_rows(rng, document), "repeated_merges": repeated_merge_rows(rng, document, words)}
    path.write_text(json.dumps(fixture, separators=(",", ":"), ensure_ascii=False) + "\n")
    counts = {name: sum(name in row for row in rows) for name in ("pruned", "pruned_ignore", "plain")}
    print(path.stat().st_size, "bytes; rows that differ from ids:", counts)


main()
