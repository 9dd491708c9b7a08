# SPDX-License-Identifier: Apache-2.0
"""The official LSP meta model, from npm's vscode-languageserver-protocol.

The package ships its types as TypeScript declarations and the directions of its messages as
JavaScript; metaModel.json itself is made from the same sources and lies in their repository only.
So this file reads the declarations (they use a small, regular part of TypeScript) and gives the
meta model's shape: {"requests", "notifications", "structures", "typeAliases", "enumerations"} with
types of kind base, reference, array, map, and, or, tuple, literal, stringLiteral, integerLiteral,
booleanLiteral.  A real metaModel.json (INLINED_METAMODEL=FILE) is taken as it is.
"""
import glob
import json
import os
import re

BASE = {"string", "integer", "uinteger", "decimal", "boolean", "null", "URI", "DocumentUri"}
ANY = {"kind": "reference", "name": "LSPAny"}
TOKEN = re.compile(
    r"\s+|//[^\n]*|/\*.*?\*/|(?P<text>`[^`]*`|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_$][\w$]*)|(?P<mark>=>|\.\.\.|.)", re.S)


def null_type():
    return {"kind": "base", "name": "null"}


def reference(name):
    return {"kind": "base" if name in BASE else "reference", "name": name}


class Declarations:
    """Reads one .d.ts file statement by statement; what it does not know it steps over."""

    def __init__(self, text, model):
        self.tokens = [(m.lastgroup, m.group(m.lastgroup)) for m in TOKEN.finditer(text)
                       if m.lastgroup]
        self.at = 0
        self.model = model

    # -- tokens
    def peek(self, ahead=0):
        i = self.at + ahead
        return self.tokens[i][1] if i < len(self.tokens) else ""

    def take(self, *wanted):
        if self.peek() in wanted:
            self.at += 1
            return True
        return False

    def need(self, wanted):
        if not self.take(wanted):
            near = " ".join(t[1] for t in self.tokens[self.at:self.at + 8])
            raise ValueError(f"expected {wanted} before: {near}")

    def word(self):
        self.at += 1
        return self.tokens[self.at - 1][1]

    def skip_block(self):
        """Over a balanced {...}, (...) or <...>, whose opening mark is the next token."""
        pairs = {"{": "}", "(": ")", "<": ">", "[": "]"}
        stack = [pairs[self.word()]]
        while stack:
            mark = self.word()
            if mark in pairs and not (mark == "<" and stack[-1] != ">"):
                stack.append(pairs[mark])
            elif mark == stack[-1]:
                stack.pop()

    def skip_statement(self):
        while self.at < len(self.tokens):
            if self.peek() in "{([":
                closes_statement = self.peek() == "{"
                self.skip_block()
                if closes_statement and self.peek() not in (";", "&", "|", "[", "from"):
                    return
            elif self.word() == ";":
                return

    # -- statements
    def read(self):
        while self.at < len(self.tokens):
            self.take("export")
            self.take("declare")
            kind, name = self.peek(), self.peek(1)
            if kind == "interface":
                self.at += 2
                self.interface(name)
            elif kind == "type" and re.match(r"\w", name):
                self.at += 2
                self.alias(name)
            elif kind == "namespace":
                self.at += 2
                self.namespace(name)
            else:
                self.skip_statement()

    def parameters(self):
        """<T = any, ...> of a declaration: names that stand for anything."""
        names = set()
        if self.take("<"):
            while not self.take(">"):
                names.add(self.word())
                while self.peek() not in (",", ">"):
                    self.at += 1
                self.take(",")
        return names

    def interface(self, name):
        self.generic = self.parameters()
        bases = []
        if self.take("extends"):
            bases.append(self.postfix())
            while self.take(","):
                bases.append(self.postfix())
        literal = self.members()
        self.model["structures"].append({
            "name": name, "extends": bases, "properties": literal["value"]["properties"],
            "open": literal["value"]["open"]})

    def alias(self, name):
        self.generic = self.parameters()
        self.need("=")
        try:
            target = self.type()
            self.need(";")
            if name not in BASE:
                self.model["typeAliases"].append({"name": name, "type": target})
        except ValueError:
            self.skip_statement()

    def namespace(self, name):
        self.generic = set()
        self.need("{")
        facts = {}
        while not self.take("}"):
            if self.peek() == "const" and self.peek(1) in ("method", "type") \
                    and self.peek(2) == ":":
                key = self.peek(1)
                self.at += 3
                facts[key] = self.message_type()
            elif self.peek() == "const" and self.peek(2) == ":":
                constant = self.peek(1)
                self.at += 3
                self.model["constants"][f"{name}.{constant}"] = self.message_type()
            else:
                self.skip_statement()
        if facts.get("method") and isinstance(facts.get("type"), tuple):
            self.message(name, facts["method"]["value"], *facts["type"])

    def message_type(self):
        """A constant's type; ProtocolRequestType<...> and its kin as (name, arguments)."""
        if self.peek().startswith("Protocol") and self.peek(1) == "<":
            kind = self.word()
            arguments = self.arguments()
            self.need(";")
            return kind, arguments
        start = self.at
        try:
            found = self.type()
            self.need(";")
            return found
        except ValueError:
            self.at = start
            self.skip_statement()
            return None

    def message(self, name, method, kind, arguments):
        entry = {"method": method, "typeName": name}
        if kind.startswith("ProtocolNotification"):
            if kind == "ProtocolNotificationType":
                entry["params"] = arguments[0]
            entry["registrationOptions"] = arguments[-1]
            self.model["notifications"].append(entry)
            return
        if kind == "ProtocolRequestType":
            entry["params"] = arguments.pop(0)
        entry["result"], entry["partialResult"], entry["errorData"] = arguments[:3]
        entry["registrationOptions"] = arguments[-1]
        self.model["requests"].append(entry)

    # -- types
    def type(self):
        self.take("|")
        items = [self.intersection()]
        while self.take("|"):
            items.append(self.intersection())
        items = [i for i in items if i is not None]
        if not items:
            return null_type()
        return items[0] if len(items) == 1 else {"kind": "or", "items": items}

    def intersection(self):
        items = [self.postfix()]
        while self.take("&"):
            items.append(self.postfix())
        return items[0] if len(items) == 1 else {"kind": "and", "items": items}

    def postfix(self):
        found = self.primary()
        while self.peek() == "[" and self.peek(1) == "]":
            self.at += 2
            found = {"kind": "array", "element": found}
        return found

    def primary(self):
        kind, value = self.tokens[self.at]
        if value == "{":
            return self.members()
        self.at += 1
        if value == "(":
            found = self.type()
            self.need(")")
            return found
        if value == "[":
            items = []
            while not self.take("]"):
                items.append(self.type())
                self.take(",")
            return {"kind": "tuple", "items": items}
        if kind == "text":
            return {"kind": "stringLiteral", "value": value[1:-1]}
        if kind == "number" or (value == "-" and self.tokens[self.at][0] == "number"):
            return {"kind": "integerLiteral", "value": int(value + (self.word() if value == "-"
                                                                    else ""))}
        if kind != "word":
            raise ValueError(f"no type begins with {value}")
        return self.named(value)

    def named(self, name):
        if name == "readonly":
            return self.postfix()
        if name == "typeof":
            constant = self.word()
            while self.take("."):
                constant += "." + self.word()
            return {"kind": "constant", "name": constant}
        if name in ("true", "false"):
            return {"kind": "booleanLiteral", "value": name == "true"}
        if name in ("any", "object", "unknown") or name in self.generic:
            return ANY
        if name in ("null", "void"):
            return null_type()
        if name in ("undefined", "never"):
            return None
        if name == "number":
            return reference("decimal")
        while self.take("."):
            name += "." + self.word()
        if self.peek() == "<":
            arguments = self.arguments()
            if name in ("Array", "ReadonlyArray"):
                return {"kind": "array", "element": arguments[0]}
        return reference(name)

    def arguments(self):
        found = []
        self.need("<")
        while not self.take(">"):
            found.append(self.type())
            self.take(",")
        return found

    def members(self):
        """{ a: T; b?: U; [key: K]: V } as a literal, or as a map when it has only an index."""
        properties, index = [], None
        self.need("{")
        while not self.take("}"):
            if self.take("["):
                self.at += 1
                self.need(":")
                key = self.type()
                self.need("]")
                self.need(":")
                index = {"kind": "map", "key": key, "value": self.type()}
            else:
                self.take("readonly")
                name = self.word().strip("'\"")
                optional = self.take("?")
                if self.peek() in ("(", "<"):
                    self.skip_statement()
                    continue
                self.need(":")
                properties.append({"name": name, "type": self.type(), "optional": optional})
            self.take(";", ",")
        if index and not properties:
            return index
        return {"kind": "literal", "value": {"properties": properties, "open": index is not None}}


def directions(folder, model):
    pattern = re.compile(r"(\w+)\.messageDirection = \w+\.MessageDirection\.(\w+)")
    found = {}
    for path in glob.glob(os.path.join(folder, "*.js")):
        with open(path, encoding="utf-8") as f:
            found.update(pattern.findall(f.read()))
    for entry in model["requests"] + model["notifications"]:
        entry["messageDirection"] = found.get(entry["typeName"], "both")


def integer_or_string():
    return {"kind": "or", "items": [reference("integer"), reference("string")]}


def add_base_protocol(model):
    """What vscode-jsonrpc defines: the `$/` messages of the base protocol."""
    def prop(name, kind, optional=False):
        return {"name": name, "type": kind, "optional": optional}

    def structure(name, *properties):
        model["structures"].append({"name": name, "extends": [], "properties": list(properties),
                                    "open": False})
    words = [{"kind": "stringLiteral", "value": v} for v in ("off", "messages", "verbose")]
    model["typeAliases"] += [
        {"name": "ProgressToken", "type": integer_or_string()},
        {"name": "TraceValue", "type": {"kind": "or", "items": words}}]
    structure("CancelParams", prop("id", integer_or_string()))
    structure("ProgressParams", prop("token", reference("ProgressToken")), prop("value", ANY))
    structure("SetTraceParams", prop("value", reference("TraceValue")))
    structure("LogTraceParams", prop("message", reference("string")),
              prop("verbose", reference("string"), True))
    for method, name, direction in (
            ("$/cancelRequest", "CancelParams", "both"),
            ("$/progress", "ProgressParams", "both"),
            ("$/setTrace", "SetTraceParams", "clientToServer"),
            ("$/logTrace", "LogTraceParams", "serverToClient")):
        model["notifications"].append({"method": method, "params": reference(name),
                                       "messageDirection": direction})


def from_types(modules):
    """The meta model of node_modules/vscode-languageserver-{types,protocol}."""
    model = {"requests": [], "notifications": [], "structures": [], "typeAliases": [],
             "enumerations": [], "constants": {}}
    common = os.path.join(modules, "vscode-languageserver-protocol", "lib", "common")
    paths = [os.path.join(modules, "vscode-languageserver-types", "lib", "umd", "main.d.ts")]
    paths += sorted(glob.glob(os.path.join(common, "protocol*.d.ts")))
    for path in paths:
        with open(path, encoding="utf-8") as f:
            Declarations(f.read(), model).read()
    directions(common, model)
    add_base_protocol(model)
    return model


def modules_folder():
    """Where the npm package lies, or None.  Bootstrap says; by hand: npm ci in tests/peers."""
    here = os.path.dirname(os.path.abspath(__file__))
    cache = os.environ.get("INLINED_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "inlined")
    places = [os.environ.get("INLINED_PEERS", ""), os.path.join(here, "../peers/node_modules")]
    places += sorted(glob.glob(os.path.join(cache, "peers/*/node_modules")))
    for place in places:
        if place and os.path.isdir(os.path.join(place, "vscode-languageserver-protocol")):
            return place
    return None


def load():
    """The meta model, or None when the npm package is nowhere."""
    path = os.environ.get("INLINED_METAMODEL")
    if path:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    modules = modules_folder()
    return from_types(modules) if modules else None


def extend(model, path):
    """Adds our own messages (same shape) to the model."""
    with open(path, encoding="utf-8") as f:
        ours = json.load(f)
    for key in ("requests", "notifications", "structures", "typeAliases", "enumerations"):
        model[key] = model.get(key, []) + ours.get(key, [])
    return model
