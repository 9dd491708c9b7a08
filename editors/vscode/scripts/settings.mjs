// SPDX-License-Identifier: Apache-2.0
// Writes package.json's settings, and those of Neovim's :help inlined, from the daemon's schema
// (docs/settings.schema.json), so that there is one list.  With --check it only says whether they are the same.
import fs from "node:fs";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const schema = JSON.parse(fs.readFileSync(here("../../../docs/settings.schema.json"), "utf8"));

// What belongs to this extension alone; the daemon never sees it (src/settings.ts).
const own = {
  "inlined.server.path": {
    type: "string",
    default: "",
    scope: "machine-overridable",
    description: "The daemon's program. Empty: the one on the PATH, else the one inside this extension.",
  },
  "inlined.server.arguments": {
    type: "array",
    items: { type: "string" },
    default: [],
    scope: "machine-overridable",
    description: "What the daemon is started with besides --stdio, for example [\"--log-level\", \"info\"].",
  },
  "inlined.trace.server": {
    type: "string",
    enum: ["off", "messages", "verbose"],
    default: "off",
    scope: "window",
    description: "Show the messages between the editor and the daemon in the output channel.",
  },
};

// flat(PREFIX, PROPERTIES): an object with named properties becomes one setting for each of them.
function flat(prefix, properties) {
  return Object.entries(properties).flatMap(([name, value]) => {
    const key = `${prefix}.${name}`;
    if (value.type === "object" && value.properties) return flat(key, value.properties);
    return [[key, { ...value, scope: "resource" }]];
  });
}

const wanted = {
  title: "inlined",
  properties: { ...Object.fromEntries(flat("inlined", schema.properties)), ...own },
};
// wrapped(TEXT): lines of 70 characters behind a tab, as help files have them.
function wrapped(text) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    if ((lines.at(-1) + " " + word).length > 70) lines.push("");
    lines.push([lines.pop(), word].filter(Boolean).join(" "));
  }
  return lines.map((line) => `        ${line}`);
}

// kind(SETTING): its type, range and default in one line.
function kind(value) {
  const type = value.enum ? value.enum.map((word) => JSON.stringify(word)).join(" | ") : value.type;
  const range = value.minimum === undefined ? "" : `, ${value.minimum} to ${value.maximum}`;
  return `${type}${range}; default ${JSON.stringify(value.default).replaceAll('","', '", "')}`;
}

// help(OLD): OLD with the list of settings between its heading and the next ruler.
function help(old) {
  const entries = flat("", schema.properties).flatMap(([key, value]) => {
    const name = key.slice(1);
    const tag = `*inlined-${name}*`;
    const text = value.description.replaceAll("*", "").replaceAll("|", "/");
    return [name.padEnd(78 - tag.length) + tag, ...wrapped(kind(value)), ...wrapped(text)];
  });
  const intro = ["", "These are the daemon's, for setup({ settings = { ... } }); a name with a point",
    "is a table in a table.  The list is made from docs/settings.schema.json.", ""];
  return old.replace(/(\*inlined-settings\*\n)[^]*?(\n={78}\n)/, (_all, heading, ruler) =>
    [heading.trimEnd(), ...intro, ...entries].join("\n") + "\n" + ruler);
}

const files = [
  ["../package.json", (old) => {
    const manifest = JSON.parse(old);
    const same = JSON.stringify(manifest.contributes.configuration) === JSON.stringify(wanted);
    manifest.contributes.configuration = wanted;
    return same ? old : JSON.stringify(manifest, null, 2) + "\n";
  }],
  ["../../nvim/doc/inlined.txt", help],
];
for (const [name, make] of files) {
  const old = fs.readFileSync(here(name), "utf8");
  const made = make(old);
  if (made === old) continue;
  if (process.argv.includes("--check")) {
    console.error(`${name} and docs/settings.schema.json differ: run node editors/vscode/scripts/settings.mjs`);
    process.exit(1);
  }
  fs.writeFileSync(here(name), made);
}
