#!/usr/bin/env python3
"""Writes what jinja2 renders, for tests/chat: nano_goldens.json and jinja_snippets.json in tests/fixtures/chat.

Needs jinja2 3.1.6. Run from the root of the repository: python3 tools/make_chat_fixtures.py
The environment is the one of transformers: ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, loop controls,
tojson = json.dumps(ensure_ascii=False), raise_exception.
"""
import json
import pathlib
import sys
import traceback

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chat_snippets import CONTEXT, SNIPPETS

FIXTURES = pathlib.Path("tests/fixtures/chat")


class Generation(Extension):
    """{% generation %}, as transformers' AssistantTracker without the tracking."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(lineno)

    def _render(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def make_environment():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    return environment


def line_of(error):
    """The innermost line of the template in the traceback."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.lineno
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
    return frames[-1].lineno if frames else None


def render(environment, source, variables):
    try:
        return environment.from_string(source).render(**variables)
    except Exception as error:  # noqa: BLE001 whatever a template raises is an outcome
        return {"error": type(error).__name__, "message": str(error), "line": line_of(error)}


def nano_cases():
    cases = {name: case["input"] for name, case in json.loads((FIXTURES / "chat_template_goldens.json").read_text())["cases"].items()}
    call = {"id": 7, "type": "function", "function": {"name": "f", "arguments": {"items": [1, 2], "keys": "k", "get": None}}}
    user = {"role": "user", "content": "q"}
    extra = {
        "argument_named_items": {"messages": [user, {"role": "assistant", "content": "", "tool_calls": [call]}]},
        "spaces_of_unicode": {"messages": [user, {"role": "assistant", "content": "\u00a0\u3000 a\u00a0b \u2003\u001c\u0085",
                                                  "reasoning_content": "\u3000t\u00a0"}]},
        "space_like_characters_stay": {"messages": [user, {"role": "assistant", "content": "\u200ba\ufeff\u180e"}]},
        "enable_thinking_null": {"messages": [user], "add_generation_prompt": True, "enable_thinking": None},
        "clear_thinking_null": {"messages": [user, {"role": "assistant", "content": "a", "reasoning_content": "t"}, user],
                                "clear_thinking": None, "add_generation_prompt": True},
        "integer_ids": {"messages": [user, {"role": "assistant", "content": None, "tool_calls": [call]},
                                     {"role": "tool", "tool_call_id": 7, "content": "r"}], "add_generation_prompt": True},
        "part_text_null": {"messages": [{"role": "user", "content": [{"type": "text", "text": None}]}]},
        "no_messages": {"messages": [], "add_generation_prompt": True},
        "arguments_missing": {"messages": [user, {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
        "content_is_a_number": {"messages": [{"role": "user", "content": 5}]},
        "emoji_and_marks": {"messages": [{"role": "user", "content": "\U0001f600 e\u0301 \"<&>'\\ {{ x }}"}],
                            "tools": [{"type": "function", "function": {"name": "\U0001f600", "description": "\u007f\u0001\"\\/<&>'",
                                                                        "parameters": {"n": 1e22, "m": -0.0, "k": 1e-7}}}]},
    }
    return {**cases, **extra}


def write(name, value):
    (FIXTURES / name).write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n")


def main():
    if jinja2.__version__ != "3.1.6":
        sys.exit(f"jinja2 is {jinja2.__version__}, expected 3.1.6")
    environment = make_environment()
    nano = pathlib.Path("models/glm5-nano/chat_template.jinja").read_text()
    templates = {"nano": nano}
    for path in sorted(FIXTURES.glob("glm-*.jinja")):
        templates[path.name.removesuffix(".jinja").replace("_chat_template", "").removesuffix("_04c4e9e9")] = path.read_text()
    goldens = {}
    for name, case in nano_cases().items():
        variables = {"tools": None, **case}
        goldens[name] = {"input": case, "outputs": {key: render(environment, source, variables) for key, source in templates.items()}}
    write("further_goldens.json", {"note": "As chat_template_goldens.json, with the template of glm5-nano and further cases. "
                                           "Written by tools/make_chat_fixtures.py.", "cases": goldens})
    snippets = [{"template": s, "result": render(environment, s, CONTEXT)} for s in SNIPPETS]
    write("jinja_snippets.json", {"note": "What jinja2 3.1.6 renders. Written by tools/make_chat_fixtures.py.",
                                  "context": CONTEXT, "snippets": snippets})
    failures = sum(isinstance(s["result"], dict) for s in snippets)
    print(f"{len(goldens)} conversations, {len(snippets)} snippets, of which {failures} are errors")


if __name__ == "__main__":
    main()
