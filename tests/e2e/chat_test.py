"""glm5 chat: scripted over pipes, and on a pseudo-terminal. Standard library only."""
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

from server import MODEL

BINARY = os.environ["GLM5_BINARY"]
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


def chat(text, *flags):
    """(exit code, standard output, standard error) of a chat that reads `text`."""
    result = subprocess.run([BINARY, "chat", MODEL, "--temperature", "0", *flags], input=text, capture_output=True,
                            text=True, timeout=300)
    return result.returncode, result.stdout, result.stderr


def generate(prompt, *flags):
    result = subprocess.run([BINARY, "generate", MODEL, prompt, "--chat", "--log-level", "warning", *flags],
                            capture_output=True, text=True, timeout=300)
    return result.returncode, result.stdout, result.stderr


class TerminalChat:
    """A chat on a pseudo-terminal."""

    def __init__(self, *flags, **environment):
        self.output = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.pop("NO_COLOR", None)
            os.environ.update(environment)
            os.execv(BINARY, [BINARY, "chat", MODEL, "--temperature", "0", *flags])

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, pattern, seconds=120):
        """What was written up to the end of `pattern`; further calls begin behind it."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.output, re.S)
            if found:
                text, self.output = self.output[:found.end()], self.output[found.end():]
                return text
            if time.monotonic() > end or not select.select([self.terminal], [], [], 1)[0]:
                assert time.monotonic() < end, (pattern, self.output)
                continue
            try:
                self.output += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError((pattern, self.output))

    def exit_code(self):
        try:
            while os.read(self.terminal, 65536):
                pass
        except OSError:
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Scripted(unittest.TestCase):
    def test_answers_as_generate_does(self):
        code, output, errors = chat("What is nginx-light?\n")
        self.assertEqual(code, 0, errors)
        self.assertEqual(output, generate("What is nginx-light?")[1])
        self.assertNotIn("\x1b", output)
        self.assertEqual(errors, "")

    def test_the_last_line_needs_no_end(self):
        self.assertEqual(chat("What is git?")[1], chat("What is git?\n")[1])

    def test_a_second_turn_finds_the_first_in_the_cache(self):
        question = " ".join(["What is nginx-light?"] * 12)
        code, _, errors = chat(f"{question}\nWhat is git?\n", "--stats")
        self.assertEqual(code, 0, errors)
        cached = [int(n) for n in re.findall(r"\((\d+) cached\)", errors)]
        self.assertEqual(cached[0], 0)
        self.assertGreaterEqual(cached[1], 64)
        _, _, errors = chat(f"{question}\nWhat is git?\n", "--stats", "--no-enable-prefix-caching")
        self.assertEqual(re.findall(r"\((\d+) cached\)", errors), ["0", "0"])

    def test_history_and_clear(self):
        def prompt_tokens(text):
            return [int(n) for n in re.findall(r"(\d+) prompt tokens", chat(text, "--stats")[2])]

        first, second = prompt_tokens("What is git?\nWhat is git?\n")
        self.assertGreater(second, first)
        self.assertEqual(prompt_tokens("What is git?\n/clear\nWhat is git?\n"), [first, first])
        with_system = prompt_tokens("/system Answer briefly.\nWhat is git?\n/clear\n/system\nWhat is git?\n")
        self.assertGreater(with_system[0], first)
        self.assertEqual(with_system[1], first)
        self.assertEqual(re.findall(r"(\d+) prompt tokens", chat("What is git?\n", "--stats", "--system",
                                                                 "Answer briefly.")[2]), [str(with_system[0])])

    def test_thinking(self):
        code, output, errors = chat("/think on\nWhat is curl?\n/think off\n/clear\nWhat is curl?\n")
        self.assertEqual(code, 0, errors)
        thought, answer = re.fullmatch(r"<think>\n(.+)\n</think>\n(.+)\n", output, re.S).groups()
        self.assertNotIn("think", answer)
        self.assertTrue(thought)

    def test_what_is_wrong_does_not_end_it(self):
        code, output, errors = chat("/nonsense\n/think maybe\n\n   \nWhat is git?\n/exit\nWhat is curl?\n")
        self.assertEqual(code, 0, errors)
        self.assertEqual(output, chat("What is git?\n")[1])
        self.assertEqual(errors, "glm5: /nonsense: not a command; /help lists them\n"
                                 "glm5: /think maybe: not a command; /help lists them\n")

    def test_a_question_that_is_too_long(self):
        code, output, errors = chat("a b c " * 200 + "\nWhat is git?\n", "--max-model-len", "256")
        self.assertEqual(code, 0)
        self.assertIn("the context holds 256", errors)
        self.assertEqual(output, chat("What is git?\n")[1])

    def test_seeds_decide_the_text(self):
        flags = ("--temperature", "1.5", "--top-p", "0.95", "--top-k", "50", "--max-tokens", "24")
        texts = [generate("Tell me something.", *flags, "--seed", seed)[1] for seed in ("1", "1", "2", "3")]
        self.assertEqual(texts[0], texts[1])
        self.assertGreater(len(set(texts)), 1)

    def test_several_choices(self):
        code, output, errors = generate("What is git?", "-n", "2")
        self.assertEqual(code, 0, errors)
        single = generate("What is git?")[1].rstrip("\n")
        self.assertEqual(output, f"--- choice 0\n{single}\n--- choice 1\n{single}\n")


class OnATerminal(unittest.TestCase):
    def test_dims_the_reasoning_and_leaves_at_the_end_of_input(self):
        terminal = TerminalChat("--thinking")
        terminal.read_until("> ")
        terminal.type("What is curl?\n")
        text = terminal.read_until("> ")
        self.assertRegex(text, re.escape(DIM) + r"[^\x1b]+" + re.escape(PLAIN) + r"\r\n\r\n[^\x1b]+\r\n> ")
        terminal.type("\x04")
        self.assertEqual(terminal.exit_code(), 0)

    def test_no_color(self):
        terminal = TerminalChat("--thinking", NO_COLOR="1")
        self.assertNotIn("\x1b", terminal.read_until("> ").replace("\r\x1b[K", ""))
        terminal.type("What is curl?\n")
        text = terminal.read_until("> ")
        self.assertNotIn("\x1b", text)
        self.assertIn("<think>\r\n", text)
        terminal.type("/exit\n")
        self.assertEqual(terminal.exit_code(), 0)

    def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(self):
        terminal = TerminalChat("--max-tokens", "4000", "--temperature", "2")
        terminal.read_until("> ")
        terminal.type("\x03")
        terminal.read_until("Ctrl-D leaves.*> ")
        terminal.type("Tell me everything.\n")
        terminal.read_until("everything.\r\n.{20}")
        terminal.type("\x03")
        text = terminal.read_until("> ")
        if "(stopped)" not in text:  # the answer was over before
            self.skipTest("the answer ended before the key")
        terminal.type("/clear\nWhat is git?\n")
        terminal.read_until("git.*> ")
        os.kill(terminal.pid, signal.SIGTERM)
        self.assertEqual(terminal.exit_code(), -signal.SIGTERM)


if __name__ == "__main__":
    unittest.main(verbosity=2)
