// SPDX-License-Identifier: Apache-2.0
// The whole way in a real VS Code: our .vsix with the daemon inside, the real model, a person's keys.
// What is suggested is the model's affair; how it is shown, accepted and dismissed is checked against it.
//   node live.mjs CODE_SERVER VSIX FOLDER
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { Code, sleep, until } from "./code.mjs";

const [server, vsix, folder] = process.argv.slice(2).map((p) => path.resolve(p));

function skip(why) {
  console.log(`SKIP: ${why}`);
  process.exit(77);
}
if (!fs.existsSync(path.join(server, ".ok"))) skip(`no code-server at ${server}; ./bootstrap test fetches it`);
if (!fs.existsSync(process.env.INLINED_CHROMIUM || "/usr/bin/chromium")) {
  skip("no Chromium; ./bootstrap test installs it");
}

const TEXT = `class Item:
    def __init__(self, name, price, quantity):
        self.name = name
        self.price = price
        self.quantity = quantity


def total_value(items):
    """Sum of price times quantity over all items."""
    total = 0.0
    for item in items:
        total
    return total
`;
const LINE = 12; // "        total", where the test types

fs.rmSync(folder, { recursive: true, force: true });
const work = path.join(folder, "work");
const file = path.join(work, "inventory.py");
fs.mkdirSync(work, { recursive: true });
fs.writeFileSync(file, TEXT);

const began = Date.now();
const passed = (what) => console.log(`ok ${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${what}`);
function equal(got, want, what) {
  if (got !== want) throw new Error(`${what}\n got: ${JSON.stringify(got)}\nwant: ${JSON.stringify(want)}`);
}

const code = await Code.start({ server, vsix, state: path.join(folder, "state") });

/** Puts the text back as it was and the cursor behind "total". */
async function again() {
  await code.keys("Escape", "Control+A", "Delete");
  await code.page.evaluate(() => undefined);
  fs.writeFileSync(file, TEXT);
  await code.command("File: Revert File");
  await until("the text is back", async () => (await code.page.locator(".view-line").count()) > LINE);
  await code.keys("Control+Home");
  for (let i = 1; i < LINE; i++) await code.keys("ArrowDown");
  await code.keys("End");
}

/** Types `text` and then, until ghost text stands there, a blank and back: the host may still be starting. */
async function ghostAfter(text) {
  await code.type(text);
  for (let tries = 0; tries < 20; tries++) {
    try {
      return await until("ghost text", () => code.ghost(), 3000);
    } catch {
      await code.keys("Backspace");
      await code.type(text.slice(-1));
    }
  }
  throw new Error(`no ghost text after ${JSON.stringify(text)}; the status bar says: ${await code.bar()}`);
}

function servers() {
  try {
    const all = execFileSync("pgrep", ["-f", `${folder}/state/extensions/.*bin/inlined`], { encoding: "utf8" });
    return all.trim().split("\n").map(Number);
  } catch {
    return [];
  }
}

async function shows_and_accepts() {
  await again();
  const ghost = await ghostAfter(" += ");
  const first = ghost.split("\n")[0];
  await code.picture("ghost.png");
  await code.keys("Tab");
  const line = (await code.saved(file)).split("\n")[LINE - 1];
  equal(line.startsWith(`        total += ${first.trimStart().slice(0, 5)}`), true, `accepted ${first}: ${line}`);
  passed(`ghost text "${first.trim()}" is shown and Tab takes it`);
}

async function takes_a_word() {
  await again();
  const ghost = await ghostAfter(" += ");
  await code.keys("Control+ArrowRight");
  const line = (await code.saved(file)).split("\n")[LINE - 1];
  const word = line.slice("        total += ".length);
  equal(word.length > 0 && ghost.trimStart().startsWith(word.trim()), true, `a word of ${ghost}: ${line}`);
  passed(`Ctrl+Right takes "${word}" of it`);
}

async function dismisses() {
  await again();
  await ghostAfter(" += ");
  await code.keys("Escape");
  await until("the ghost text is gone", async () => !(await code.ghost()));
  equal((await code.saved(file)).split("\n")[LINE - 1].trimEnd(), "        total +=", "the text after Escape");
  passed("Escape dismisses it");
}

async function says_why() {
  const bar = await until("the status bar names the model", async () => {
    const text = await code.bar();
    return /135m/.test(text) && text;
  });
  passed(`status bar: ${bar.replace(/\s+/g, " ").trim()}`);
  await code.command("inlined: Status and Menu");
  const rows = await until("the menu", async () => {
    const all = await code.rows();
    return all.some((r) => r.includes("Check this machine")) && all;
  });
  await code.picture("menu.png");
  await code.keys("Escape");
  passed(`menu: ${rows.length} entries`);
}

async function pauses() {
  await again();
  await code.command("inlined: Pause in This File");
  await until("the status bar says so", async () => /Paused/.test(await code.bar()));
  await code.type(" += ");
  await sleep(1500);
  equal(await code.ghost(), "", "ghost text while paused");
  await code.command("inlined: Resume");
  await until("the status bar says so", async () => !/Paused/.test(await code.bar()));
  await again();
  await ghostAfter(" += ");
  passed("pause in this file, and resume");
}

async function server_comes_back() {
  const [pid] = servers();
  if (!pid) throw new Error("no server out of the .vsix runs");
  await again();
  process.kill(pid, "SIGKILL");
  await until("another server", async () => servers().some((p) => p !== pid));
  await ghostAfter(" += ");
  passed(`server ${pid} was killed and another one suggests`);
}

async function daemon_comes_back() {
  const [pid, ...more] = code.daemons();
  if (!pid || more.length) throw new Error(`one daemon should run: ${pid} ${more}`);
  const [server] = servers();
  await again();
  process.kill(pid, "SIGKILL");
  await ghostAfter(" += ");
  equal(servers()[0], server, "the server that VS Code started");
  passed(`daemon ${pid} was killed and ${code.daemons()} suggests`);
}

let failed = 0;
try {
  await code.open(work, file);
  for (const test of [shows_and_accepts, takes_a_word, dismisses, says_why, pauses, server_comes_back,
    daemon_comes_back]) await test();
} catch (error) {
  failed = 1;
  console.log(`FAILED: ${error.stack}`);
  console.log(`picture: ${await code.picture("failure.png").catch(() => "none")}; logs under ${folder}/state`);
} finally {
  await code.end();
}
if (!failed) {
  await until("no daemon is left", async () => servers().length + code.daemons().length === 0, 20000).catch((error) => {
    failed = 1;
    console.log(`FAILED: ${error.message}: ${servers()} ${code.daemons()}`);
  });
}
process.exit(failed);
