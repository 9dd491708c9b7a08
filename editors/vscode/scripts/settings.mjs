// SPDX-License-Identifier: Apache-2.0
// Writes package.json's settings from the daemon's schema (docs/settings.schema.json), so that there is one
// list.  With --check it only says whether they are the same.
import fs from "node:fs";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const schema = JSON.parse(fs.readFileSync(here("../../../docs/settings.schema.json"), "utf8"));
const manifest = JSON.parse(fs.readFileSync(here("../package.json"), "utf8"));

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
const same = JSON.stringify(manifest.contributes.configuration) === JSON.stringify(wanted);
if (process.argv.includes("--check")) {
  if (!same) {
    console.error("package.json and docs/settings.schema.json differ: run node editors/vscode/scripts/settings.mjs");
    process.exit(1);
  }
} else if (!same) {
  manifest.contributes.configuration = wanted;
  fs.writeFileSync(here("../package.json"), JSON.stringify(manifest, null, 2) + "\n");
}
