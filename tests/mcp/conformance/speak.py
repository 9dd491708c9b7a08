#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the conformance suite wants to see a tool do, said in the lines of docs/MCP.md.

    speak.py NAME

One function for each fixture of server.json that says more than one text.
"""
import json
import sys
import time

PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5E"
       "rkJggg==")
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
HELLO = json.loads(sys.stdin.readline())
ARGUMENTS = HELLO["arguments"]


def say(**line):
    print(json.dumps(line), flush=True)


def text(words, **more):
    say(content={"type": "text", "text": words}, **more)


def ask(**questions):
    say(ask=questions)
    return json.loads(sys.stdin.readline())["answers"]


def form(message, required=True, **properties):
    schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(properties)
    return {"method": "elicitation/create",
            "params": {"message": message, "requestedSchema": schema}}


def sampling(prompt, tokens=100):
    return {"method": "sampling/createMessage", "params": {"maxTokens": tokens, "messages": [
        {"role": "user", "content": {"type": "text", "text": prompt}}]}}


ROOTS = {"method": "roots/list", "params": {}}


def image():
    say(content={"type": "image", "data": PNG, "mimeType": "image/png"})


def audio():
    say(content={"type": "audio", "data": WAV, "mimeType": "audio/wav"})


def embedded(uri="test://embedded-resource", mime="text/plain",
             words="This is an embedded resource content."):
    say(content={"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": words}})


def mixed():
    text("Multiple content types test:")
    image()
    embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')


def logging():
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        say(log="info", data=words)
        time.sleep(0.05)
    text("done")


def progress():
    for done in (0, 50, 100):
        say(progress=done, total=100)
        time.sleep(0.05)
    text("done")


def sample():
    told = ask(answer=sampling(ARGUMENTS.get("prompt", "Say something.")))
    text("LLM response: " + told["answer"]["content"]["text"])


def elicit():
    told = ask(user=form(ARGUMENTS["message"],
                         username={"type": "string", "description": "User's response"},
                         email={"type": "string", "description": "User's email address"}))["user"]
    text(f"User response: {told}")


def completed(told):
    text(f"Elicitation completed: action={told['action']}, content={told.get('content')}")


def defaults():
    completed(ask(all=form(
        "Please review", required=False, name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30}, score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True}))["all"])


def enums():
    options = ["option1", "option2", "option3"]
    titled = [{"const": f"value{i}", "title": t} for i, t in
              enumerate(("First Option", "Second Option", "Third Option"), 1)]
    completed(ask(all=form(
        "Please choose", required=False, untitledSingle={"type": "string", "enum": options},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": options}},
        titledMulti={"type": "array", "items": {"anyOf": titled}}))["all"])


def name():
    return form("What is your name?", name={"type": "string"})


def confirm():
    return form("Please confirm", ok={"type": "boolean"})


def ask_name():
    text("Hello, " + ask(user_name=name())["user_name"]["content"]["name"])


def ask_model():
    told = ask(capital_question=sampling("What is the capital of France?"))
    text(told["capital_question"]["content"]["text"])


def ask_roots():
    text(" ".join(r["uri"] for r in ask(client_roots=ROOTS)["client_roots"]["roots"]))


def ask_state():
    ask(confirm=confirm())
    text("state-ok")


def ask_many():
    told = ask(user_name=name(), greeting=sampling("Generate a greeting", 50), client_roots=ROOTS)
    text(f"{sorted(told)}")


def ask_twice():
    who = ask(step1=form("Step 1: What is your name?", name={"type": "string"}))["step1"]
    what = ask(step2=form("Step 2: What is your favorite color?", color={"type": "string"}))
    text(f"{who['content']['name']} likes {what['step2']['content']['color']}")


def ask_able():
    """Only what the host can answer."""
    questions = {"sampling": ("words", sampling("Say something.")), "roots": ("roots", ROOTS),
                 "elicitation": ("name", name())}
    told = ask(**dict(q for able, q in questions.items() if able in HELLO["client"]))
    text(f"{sorted(told)}")


def prompt_context():
    told = ask(user_context=form("What context should the prompt use?",
                                 context={"type": "string"}))["user_context"]
    text(f"Work in this context: {told['content']['context']}", role="user")


def prompt_image():
    image()
    text("Please analyze the image above.")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
