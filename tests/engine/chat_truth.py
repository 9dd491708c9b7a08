#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chat_truth.py CHAT_TOOL [LLAMA_CPP]: chat templates, byte for byte as Jinja2 renders them.

The templates are the published ones that lie in llama.cpp's clone (models/templates); the truth is
Jinja2 in the environment that transformers makes for them.  30 conversations a template: short and
long, with and without a system message, tools, tool calls and results, awkward characters.  What
Jinja2 refuses must be refused, too, and with raise_exception's own words.
"""
import datetime
import glob
import json
import os
import random
import subprocess
import sys

try:
    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("SKIP: the Python package Jinja2 is not here; ./bootstrap test installs it")
    sys.exit(77)

CONVERSATIONS = 30
# Families that must render whatever happens; of the others, what we refuse to parse is counted.
FAMILIES = ("Qwen2.5", "Qwen3-0.6B", "QwQ", "Llama-3.1", "Llama-3.2", "Llama-3.3", "gemma-2",
            "DeepSeek-R1-Distill", "DeepSeek-V3.1", "Phi-3.5", "Mistral-Nemo", "Mistral-Small-3.2",
            "Devstral", "granite-3.3", "granite-4.0", "SmolLM3", "Hermes-3", "Qwen3-Coder")
# SmolLM2's own template, as its model card has it.
SMOLLM2 = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
           "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
           "Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + "
           "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
           "{{ '<|im_start|>assistant\n' }}{% endif %}")


class Refused(Exception):
    """raise_exception was called."""


class Generation(jinja2.ext.Extension):
    """transformers' tag {% generation %}: transparent."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def environment():
    def refuse(why):
        raise Refused(why)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return env


TEXTS = ["Hi", "  padded \n", "", "Write a function.\n\n```c\nint f(void);\n```\n",
         "äöü ≤ 🙂 \u200b", "{{ not a tag }} {% nor this %}", "<|im_end|> <|eot_id|>",
         "a\tb\\n\"quoted\" 'it''s'", "x" * 300,
         "<think>\nsteps\n</think>\n\nThe answer."]
TOOLS = [{"type": "function", "function": {
    "name": "read_file", "description": "Reads a file, \"whole\".",
    "parameters": {"type": "object", "properties": {
        "path": {"type": "string", "description": "where"}, "lines": {"type": "integer"},
        "deep": {"type": "array", "items": {"type": "number"}}}, "required": ["path"]}}},
    {"type": "function", "function": {
        "name": "now", "description": "Time — ünïcode.",
        "parameters": {"type": "object", "properties": {}}}}]


def conversation(rng):
    messages = []
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": rng.choice(TEXTS)})
    tools = rng.random() < 0.4
    for turn in range(rng.randint(1, 4)):
        messages.append({"role": "user", "content": rng.choice(TEXTS)})
        if tools and rng.random() < 0.6:
            call = {"id": f"call{turn:05d}", "type": "function", "function": {
                "name": "read_file",
                "arguments": {"path": "a/b.c", "lines": turn, "f": 0.5, "n": None, "t": True}}}
            messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
            messages.append({"role": "tool", "name": "read_file", "tool_call_id": call["id"],
                             "content": rng.choice(TEXTS)})
        messages.append({"role": "assistant", "content": rng.choice(TEXTS)})
    ask = rng.random() < 0.7
    if ask:
        messages.append({"role": "user", "content": rng.choice(TEXTS)})
    given = {"messages": messages, "add_generation_prompt": ask, "bos_token": "<s>",
             "eos_token": "</s>"}
    if tools:
        given["tools"] = TOOLS
    if rng.random() < 0.2:
        given["enable_thinking"] = rng.random() < 0.5
    return given


def expected(template, given):
    """("text", ...) or ("refused", words) or ("failed", words)."""
    try:
        return "text", template.render(**given)
    except Refused as e:
        return "refused", str(e)
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError) as e:
        return "failed", f"{type(e).__name__}: {e}"


def fits(truth, got):
    kind, what = truth
    if kind == "text":
        return got.get("text") == what
    if kind == "refused":
        words = got["error"].split(": ", 1)[1][:60].split() if got.get("status") == "usage" else []
        return words == what[:60].split()
    return True  # Jinja2 failed by accident (a method that its sandbox forbids): nothing to compare


def difference(truth, got):
    want, have = truth[1], got.get("text", got.get("error"))
    at = next((i for i, (a, b) in enumerate(zip(want, have)) if a != b), min(len(want), len(have)))
    near = slice(max(0, at - 60), at + 60)
    return f"want {truth[0]} {want[near]!r}\n      got  {have[near]!r}"


def run_tool(tool, orders):
    done = subprocess.run([tool], input="".join(json.dumps(o) + "\n" for o in orders), text=True,
                          capture_output=True, check=False, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"chat_tool ended with {done.returncode}: {done.stderr[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def templates(clone):
    found = {"SmolLM2": SMOLLM2}
    for path in sorted(glob.glob(os.path.join(clone, "models", "templates", "*.jinja"))):
        with open(path, encoding="utf-8") as f:
            found[os.path.basename(path)[:-6]] = f.read()
    return found


def main():
    tool = sys.argv[1]
    clone = sys.argv[2] if len(sys.argv) > 2 else ""
    env, wrong, unsupported, cases = environment(), [], [], 0
    found = templates(clone)
    if len(found) < 2:
        print("SKIP: no templates of llama.cpp's clone; ./bootstrap test fetches it")
        sys.exit(77)
    for name, source in found.items():
        needed = name == "SmolLM2" or any(f in name for f in FAMILIES)
        rng = random.Random(name)
        given = [conversation(rng) for _ in range(CONVERSATIONS)]
        got = run_tool(tool, [{"template": source, "vars": v} for v in given])
        template = env.from_string(source)
        for vars_, answer in zip(given, got):
            truth = expected(template, vars_)
            if truth[0] == "failed":
                continue
            if answer.get("status") == "unsupported" and not needed:
                unsupported.append(f"{name}: {answer['error']}")
                break
            cases += 1
            if not fits(truth, answer):
                wrong.append(f"{name}: {difference(truth, answer)}")
                break
    for line in unsupported:
        print("not supported:", line)
    for line in wrong:
        print("WRONG:", line)
    print(f"{len(found)} templates, {cases} conversations, {len(unsupported)} templates not "
          f"supported, {len(wrong)} wrong")
    sys.exit(1 if wrong or cases < 20 * CONVERSATIONS else 0)


if __name__ == "__main__":
    main()
