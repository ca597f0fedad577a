#!/usr/bin/env python3
"""What glm5-nano was trained to do, measured over HTTP against a real server; fails below the limits.

Answers are greedy and compared whole, after trimming spaces. Sums are printed and never counted: the model did not
learn them. --part asks a fixed part of it, for every test run. --same-as-alone asks everything once more, one by one, and
wants the same texts: neither what else runs, nor the order, nor what the prefix cache holds may change an answer.
"""
import argparse
import concurrent.futures
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import ROOT, Server  # noqa: E402

DATA = os.path.join(ROOT, "tests", "fixtures", "eval", "eval_public.json")
LIMITS = {"package": 0.99, "word": 0.90, "needle": 0.95, "tool call": 0.95}
PART = {"package": 50, "word": 10, "needle 700": 8, "needle 1500": 4, "needle 3000": 2, "needle 7900": 1, "tool call": 10}


class Task:
    def __init__(self, kind, group, expected, path, body):
        self.kind, self.group, self.expected, self.path, self.body = kind, group, expected.strip(), path, body

    def run(self, server):
        status, answer = server.post(self.path, self.body)
        if status != 200:
            raise RuntimeError(f"{self.path}: {status} {answer}")
        choice = answer["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        return (text or "").strip(), answer["usage"]


def read_tasks():
    with open(DATA, encoding="utf-8") as file:
        data = json.load(file)
    tasks = []
    for row in data["questions"]:
        body = {"messages": [{"role": "user", "content": row["question"]}], "max_tokens": 200, "temperature": 0,
                "chat_template_kwargs": {"enable_thinking": False}}
        tasks.append(Task(row["kind"], row["kind"], row["answer"], "/v1/chat/completions", body))
    for row in data["needles"]:
        body = {"prompt": row["prompt_ids"], "max_tokens": 64, "temperature": 0}
        tasks.append(Task("needle", f"needle {row['tokens']}", row["answer"], "/v1/completions", body))
    for row in data["tool_calls"]:
        body = {"prompt": row["prompt"], "max_tokens": 200, "temperature": 0, "skip_special_tokens": False}
        tasks.append(Task("tool call", "tool call", row["completion"], "/v1/completions", body))
    return tasks


def select_part(tasks):
    left = dict(PART)
    chosen = []
    for task in tasks:
        if left.get(task.group, 0) > 0:
            left[task.group] -= 1
            chosen.append(task)
    assert not any(left.values()), left
    return chosen


def ask(server, tasks, in_flight, seed):
    """(text, usage) of each task; asked in the order of `seed`."""
    order = random.Random(seed).sample(range(len(tasks)), len(tasks))
    answers = [None] * len(tasks)
    with concurrent.futures.ThreadPoolExecutor(in_flight) as pool:
        for place, answer in zip(order, pool.map(lambda place: tasks[place].run(server), order)):
            answers[place] = answer
    return answers


def count(tasks, answers, verbose):
    """group → [right, asked, prompt tokens, completion tokens]"""
    totals = {}
    for task, (text, usage) in zip(tasks, answers):
        total = totals.setdefault(task.group, [0, 0, 0, 0])
        total[0] += text == task.expected
        total[1] += 1
        total[2] += usage["prompt_tokens"]
        total[3] += usage["completion_tokens"]
        if verbose and text != task.expected:
            print(f"{task.group}: expected {task.expected!r}, found {text!r}")
    return totals


def count_changed(server, tasks, answers):
    """How many answers are others when each task is asked alone."""
    changed = 0
    for task, (among_others, _) in zip(tasks, answers):
        alone = task.run(server)[0]
        if alone != among_others:
            changed += 1
            print(f"{task.group}: alone {alone!r}, among others {among_others!r}")
    print(f"{len(tasks) - changed} of {len(tasks)} texts are the same alone")
    return changed


def report(tasks, totals, seconds):
    print(f"{'task':<16}{'right':>8}{'asked':>8}{'share':>9}{'limit':>8}")
    kind_of = {task.group: task.kind for task in tasks}
    sums = {}
    for group, (right, asked, _, _) in totals.items():
        kind = kind_of[group]
        sums.setdefault(kind, [0, 0])
        sums[kind][0] += right
        sums[kind][1] += asked
        print(f"{group:<16}{right:>8}{asked:>8}{right / asked:>9.1%}")
    failed = []
    for kind, (right, asked) in sums.items():
        limit = LIMITS.get(kind)
        if limit is None:
            print(f"{kind + ', all':<16}{right:>8}{asked:>8}{right / asked:>9.1%}   not counted")
            continue
        print(f"{kind + ', all':<16}{right:>8}{asked:>8}{right / asked:>9.1%}{limit:>8.0%}")
        if right / asked < limit:
            failed.append(kind)
    prompt_tokens = sum(total[2] for total in totals.values())
    completion_tokens = sum(total[3] for total in totals.values())
    print(f"{seconds:.1f} s, {prompt_tokens} prompt tokens, {completion_tokens} completion tokens")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--glm5", required=True, help="the binary")
    parser.add_argument("--part", action="store_true", help="a fixed part only")
    parser.add_argument("--in-flight", type=int, default=16, help="requests at once")
    parser.add_argument("--shuffle", type=int, default=1, metavar="SEED", help="the order of the requests")
    parser.add_argument("--same-as-alone", action="store_true", help="ask everything once more, one by one")
    parser.add_argument("--verbose", action="store_true", help="print wrong answers")
    parser.add_argument("flags", nargs="*", help="more flags of glm5 serve, after --")
    arguments = parser.parse_args()

    tasks = read_tasks()
    if arguments.part:
        tasks = select_part(tasks)
    server = Server(arguments.glm5, "--disable-access-log", *arguments.flags).wait_ready()
    try:
        start = time.monotonic()
        answers = ask(server, tasks, arguments.in_flight, arguments.shuffle)
        failed = report(tasks, count(tasks, answers, arguments.verbose), time.monotonic() - start)
        if arguments.same_as_alone and count_changed(server, tasks, answers):
            failed.append("the same texts alone")
    finally:
        code = server.stop()
    if code != 0:
        print(f"the server ended with code {code}")
        return 1
    if failed:
        print("below the limit: " + ", ".join(failed))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
