# SPDX-License-Identifier: Apache-2.0
"""Checks JSON-RPC messages against the LSP meta model, in both directions.

A Checker knows the open requests of both sides, so a result is checked against the type of its own
request, a second answer to one id is an error, and so is a property that no type of the message
knows (a misspelt optional property would otherwise pass).  Every check returns a list of sentences;
an empty list is a valid message.
"""
import re

CLIENT, SERVER = "clientToServer", "serverToClient"
ANY_NAMES = {"LSPAny", "LSPObject", "LSPArray"}
URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
INT32 = 2 ** 31


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


BASE_CHECKS = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: is_int(v) and -INT32 <= v < INT32,
    "uinteger": lambda v: is_int(v) and 0 <= v < INT32,
    "decimal": lambda v: isinstance(v, float) or is_int(v),
    "URI": lambda v: isinstance(v, str) and bool(URI.match(v)),
    "DocumentUri": lambda v: isinstance(v, str) and bool(URI.match(v)),
    "RegExp": lambda v: isinstance(v, str),
}
LITERALS = {"stringLiteral": str, "integerLiteral": int, "booleanLiteral": bool}


def brief(value):
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


class Types:
    """The meta model's types, by name, and the check of a value against one."""

    def __init__(self, model):
        self.structures = {s["name"]: s for s in model["structures"]}
        self.aliases = {a["name"]: a["type"] for a in model["typeAliases"]}
        self.enumerations = {e["name"]: e for e in model.get("enumerations", [])}
        self.constants = model.get("constants", {})

    def check(self, value, kind, path):
        """Sentences about what is wrong with `value` at `path`; the deepest fit of a union."""
        return getattr(self, "_" + kind["kind"])(value, kind, path)

    def _base(self, value, kind, path):
        if BASE_CHECKS[kind["name"]](value):
            return []
        return [f"{path}: {brief(value)} is no {kind['name']}"]

    def _reference(self, value, kind, path):
        name = kind["name"]
        if name in ANY_NAMES:
            return []
        if name in self.enumerations:
            return self._enumeration(value, self.enumerations[name], path)
        if name in self.aliases:
            return self.check(value, self.aliases[name], path)
        if name in self.structures:
            return self._object(value, [kind], path)
        return [f"{path}: the model has no type {name}"]

    def _constant(self, value, kind, path):
        target = self.constants.get(kind["name"])
        return self.check(value, target, path) if target else [f"{path}: no {kind['name']}"]

    def _enumeration(self, value, enumeration, path):
        known = [v["value"] for v in enumeration["values"]]
        base_ok = BASE_CHECKS[enumeration["type"]["name"]](value)
        if base_ok and (value in known or enumeration.get("supportsCustomValues")):
            return []
        return [f"{path}: {brief(value)} is no {enumeration['name']}"]

    def _literal_value(self, value, kind, path):
        if value == kind["value"] and isinstance(value, LITERALS[kind["kind"]]) \
                and isinstance(value, bool) == (kind["kind"] == "booleanLiteral"):
            return []
        return [f"{path}: {brief(value)} is not {kind['value']!r}"]

    _stringLiteral = _integerLiteral = _booleanLiteral = _literal_value

    def _array(self, value, kind, path):
        if not isinstance(value, list):
            return [f"{path}: {brief(value)} is no array"]
        return [e for i, item in enumerate(value)
                for e in self.check(item, kind["element"], f"{path}[{i}]")]

    def _tuple(self, value, kind, path):
        if not isinstance(value, list) or len(value) != len(kind["items"]):
            return [f"{path}: {brief(value)} is no tuple of {len(kind['items'])}"]
        return [e for i, (item, t) in enumerate(zip(value, kind["items"]))
                for e in self.check(item, t, f"{path}[{i}]")]

    def _map(self, value, kind, path):
        if not isinstance(value, dict):
            return [f"{path}: {brief(value)} is no object"]
        return [e for key, item in value.items()
                for e in self.check(key, kind["key"], f"{path} (key)")
                + self.check(item, kind["value"], f"{path}.{key}")]

    def _or(self, value, kind, path):
        best = None
        for item in kind["items"]:
            errors = self.check(value, item, path)
            if not errors:
                return []
            depth = max(len(e.split(": ")[0]) for e in errors)
            if best is None or depth > best[0]:
                best = (depth, errors)
        return best[1] if best[0] > len(path) else \
            [f"{path}: {brief(value)} is none of the {len(kind['items'])} types allowed here"]

    def _and(self, value, kind, path):
        return self._object(value, kind["items"], path)

    def _literal(self, value, kind, path):
        return self._object(value, [kind], path)

    def _object(self, value, parts, path):
        if not isinstance(value, dict):
            return [f"{path}: {brief(value)} is no object"]
        properties, is_open, errors = {}, False, []
        for part in parts:
            more, more_open, alternatives = self.shape(part)
            properties.update(more)
            is_open = is_open or more_open
            for alternative in alternatives:
                errors += self._alternative(value, alternative, properties, path)
        for name, prop in properties.items():
            if name in value:
                errors += self.check(value[name], prop["type"], f"{path}.{name}")
            elif not prop.get("optional"):
                errors.append(f"{path}: {name} is missing")
        for name in value:
            if name not in properties and not is_open:
                errors.append(f"{path}: nobody knows a property {name}")
        return errors

    def _alternative(self, value, union, properties, path):
        """A union inside an intersection: one of its shapes must fit what the value has of it."""
        best = None
        for item in union["items"]:
            shape, _, _ = self.shape(item)
            part = {k: v for k, v in value.items() if k in shape}
            errors = self._object(part, [item], path)
            if not errors:
                properties.update(shape)
                return []
            best = best or errors
        return best

    def shape(self, kind):
        """(properties, open, unions) of a structural type, with everything it extends."""
        if kind["kind"] == "reference" and kind["name"] in self.aliases:
            if kind["name"] in ANY_NAMES:
                return {}, True, []
            return self.shape(self.aliases[kind["name"]])
        if kind["kind"] == "reference":
            s = self.structures[kind["name"]]
            own, is_open = s["properties"], s.get("open", False)
            parts = s.get("extends", []) + s.get("mixins", [])
        elif kind["kind"] == "literal":
            own, is_open, parts = kind["value"]["properties"], kind["value"].get("open", False), []
        elif kind["kind"] == "and":
            own, is_open, parts = [], False, kind["items"]
        elif kind["kind"] == "or":
            return {}, False, [kind]
        else:
            return {}, True, []
        properties, unions = {}, []
        for part in parts:
            more, more_open, more_unions = self.shape(part)
            properties.update(more)
            is_open = is_open or more_open
            unions += more_unions
        properties.update({p["name"]: p for p in own})
        return properties, is_open, unions


class Checker:
    """One connection: feed it every message of both sides in the order in which they pass."""

    def __init__(self, model):
        self.types = Types(model)
        self.requests = {r["method"]: r for r in model["requests"]}
        self.notifications = {n["method"]: n for n in model["notifications"]}
        self.open = {CLIENT: {}, SERVER: {}}
        self.progress = {}  # token -> "begun" or "ended"

    def check(self, message, direction):
        if not isinstance(message, dict):
            return [f"{brief(message)} is no message"]
        errors = [] if message.get("jsonrpc") == "2.0" else ["jsonrpc is not \"2.0\""]
        known = {"jsonrpc", "id", "method", "params", "result", "error"}
        errors += [f"a message has no member {k}" for k in message if k not in known]
        if "method" in message and "id" in message:
            return errors + self._request(message, direction)
        if "method" in message:
            return errors + self._notification(message, direction)
        return errors + self._response(message, direction)

    def _params(self, entry, message, method):
        if "params" in entry:
            if "params" not in message:
                return [f"{method}: params are missing"]
            return self.types.check(message["params"], entry["params"], f"{method}.params")
        if message.get("params") not in (None, {}, []):
            return [f"{method}: takes no params"]
        return []

    def _known(self, table, method, direction):
        entry = table.get(method)
        if entry is None:
            return None, [f"{method}: no such message"]
        if entry.get("messageDirection", "both") not in (direction, "both"):
            return entry, [f"{method}: goes the other way"]
        return entry, []

    def _request(self, message, direction):
        method, key = message["method"], message["id"]
        if not (is_int(key) or isinstance(key, str)):
            return [f"{method}: the id {brief(key)} is no integer or string"]
        errors = []
        if key in self.open[direction]:
            errors.append(f"{method}: the id {key} is in use")
        entry, more = self._known(self.requests, method, direction)
        self.open[direction][key] = (method, entry)
        return errors + more + (self._params(entry, message, method) if entry else [])

    def _notification(self, message, direction):
        method = message["method"]
        if "result" in message or "error" in message:
            return [f"{method}: a notification with an answer"]
        entry, errors = self._known(self.notifications, method, direction)
        if entry:
            errors = errors + self._params(entry, message, method)
        if method == "$/progress" and not errors:
            errors += self._progress(message["params"])
        return errors

    def _progress(self, params):
        token, value = params["token"], params["value"]
        kinds = {"begin": "WorkDoneProgressBegin", "report": "WorkDoneProgressReport",
                 "end": "WorkDoneProgressEnd"}
        kind = kinds.get(value.get("kind") if isinstance(value, dict) else None)
        if not kind:
            return []  # a partial result
        errors = self.types.check(value, {"kind": "reference", "name": kind}, "$/progress.value")
        state = self.progress.get(token)
        if value["kind"] == "begin" and state is not None:
            errors.append(f"progress {token} begins twice")
        elif value["kind"] != "begin" and state != "begun":
            errors.append(f"progress {token} was not begun, or has ended")
        self.progress[token] = "ended" if value["kind"] == "end" else "begun"
        return errors

    def _response(self, message, direction):
        asked = SERVER if direction == CLIENT else CLIENT
        key = message.get("id")
        if ("result" in message) == ("error" in message):
            return [f"the answer {key} has not exactly one of result and error"]
        if "id" not in message:
            return ["an answer without an id"]
        if key is None:
            return [] if "error" in message else ["an answer to nobody with a result"]
        if key not in self.open[asked]:
            return [f"an answer to {brief(key)}, which is no open request"]
        method, entry = self.open[asked].pop(key)
        if "error" in message:
            return self._error(method, message["error"])
        if entry is None:
            return []
        return self.types.check(message["result"], entry["result"], f"{method}.result")

    def _error(self, method, error):
        if not isinstance(error, dict) or not is_int(error.get("code")) \
                or not isinstance(error.get("message"), str) or not error["message"]:
            return [f"{method}: an error has an integer code and a sentence"]
        return [f"{method}: an error has no member {k}" for k in error
                if k not in ("code", "message", "data")]
