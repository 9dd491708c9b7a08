// SPDX-License-Identifier: Apache-2.0
// package.mjs [PROGRAM] [OUT.vsix]: the extension with the daemon for this platform inside, the licences in the folder
// `copyright` beside PROGRAM, and what the default model is made with.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("..", import.meta.url));
const clone = path.resolve(top, "../..");
const program = path.resolve(process.argv[2] ?? path.join(clone, "build/inlined"));
const out = path.resolve(process.argv[3] ?? path.join(clone, "build/inlined.vsix"));
const run = (file, ...args) => execFileSync(process.execPath, [file, ...args], { cwd: top, stdio: "inherit" });

if (!fs.existsSync(program)) {
  console.error(`${program} is not there: build it first (./bootstrap demo), or name another program`);
  process.exit(1);
}
run("scripts/settings.mjs", "--check");
run("scripts/build.mjs");
fs.rmSync(path.join(top, "bin"), { recursive: true, force: true });
fs.mkdirSync(path.join(top, "bin"));
fs.copyFileSync(program, path.join(top, "bin/inlined"));
fs.chmodSync(path.join(top, "bin/inlined"), 0o755);
const licences = path.join(path.dirname(program), "copyright");
if (fs.existsSync(licences)) fs.cpSync(licences, path.join(top, "bin/copyright"), { recursive: true });
const models = path.join(top, "share/inlined/models"); // where the program looks: ../share of its own folder
fs.mkdirSync(models, { recursive: true });
for (const name of fs.readdirSync(path.join(clone, "engine/models")).filter((n) => n.endsWith(".delta.gguf")))
  fs.copyFileSync(path.join(clone, "engine/models", name), path.join(models, name));
fs.copyFileSync(path.join(clone, "LICENSE"), path.join(top, "LICENSE"));
const platforms = { "linux-x64": 1, "linux-arm64": 1, "darwin-arm64": 1, "darwin-x64": 1 };
const target = `${process.platform}-${process.arch}`;
run("node_modules/@vscode/vsce/vsce", "package", "--no-dependencies",
    ...(platforms[target] ? ["--target", target] : []), "-o", out);
fs.rmSync(path.join(top, "LICENSE"));
fs.rmSync(path.join(top, "share"), { recursive: true });
