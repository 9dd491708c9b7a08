// SPDX-License-Identifier: Apache-2.0
// The whole way in a real VS Code: our .vsix with the daemon inside, the real model, a person's keys.  What is
// suggested is the model's affair; how it is shown, accepted and dismissed is checked against it.  After that the same
// daemon with scripted answers (scripted_model.c) for what a model writes on demand: see actions.mjs.
//   node live.mjs CODE_SERVER BUILD FOLDER [STEP...]      all steps, or those whose functions are named
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { actions } from "./actions.mjs";
import { Code, sleep, until } from "./code.mjs";
import { firstStart } from "./first.mjs";
import { Hub } from "./hub.mjs";
import { machine } from "./machine.mjs";

const [server, build, folder] = process.argv.slice(2, 5).map((p) => path.resolve(p));
const only = process.argv.slice(5);

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
const samples = new URL("../../demo/samples/", import.meta.url);

fs.rmSync(folder, { recursive: true, force: true });
const work = path.join(folder, "work");
const file = path.join(work, "alpha/inventory.py");
const put = (name, text) => {
  fs.mkdirSync(path.dirname(path.join(work, name)), { recursive: true });
  fs.writeFileSync(path.join(work, name), text);
};
put("alpha/inventory.py", TEXT);
put("alpha/shop.py", fs.readFileSync(new URL("inventory.py", samples), "utf8"));
put("alpha/broken.json", '{\n  "price": 1,\n  "price": 2\n}\n');
put("beta/other.py", TEXT);
const cell = { cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: TEXT.split(/(?<=\n)/) };
put("beta/note.ipynb", JSON.stringify({
  cells: [cell], metadata: { language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 5,
}));
put("both.code-workspace", JSON.stringify({ folders: [{ path: "alpha" }, { path: "beta" }] }));

const git = (...args) => execFileSync("git", ["-C", path.join(work, "alpha"), "-c", "user.name=t",
  "-c", "user.email=t@example.org", ...args]);
git("init", "-q");
git("add", ".");
git("commit", "-q", "-m", "begin");

const began = Date.now();
const passed = (what) => console.log(`ok ${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${what}`);
function equal(got, want, what) {
  if (got !== want) throw new Error(`${what}\n got: ${JSON.stringify(got)}\nwant: ${JSON.stringify(want)}`);
}

const hub = await Hub.start(path.join(folder, "config"), { held: true });
const code = await Code.start({
  server, vsix: path.join(build, "inlined.vsix"), state: path.join(folder, "state"),
  env: {
    XDG_CONFIG_HOME: path.join(folder, "config"), // the list of models with one of the test's
    XDG_STATE_HOME: path.join(folder, "approved"), // what was approved once is not asked again
    INLINED_TEST_SCRIPT: path.join(folder, "script.json"),
  },
});

/** Puts the text back as it was and the cursor behind "total". */
async function again() {
  await code.keys("Escape", "Control+A", "Delete");
  fs.writeFileSync(file, TEXT);
  await code.command("File: Revert File");
  await until("the text is back", async () => (await code.page.locator(".view-line").count()) > LINE);
  await code.keys("Control+Home");
  for (let i = 1; i < LINE; i++) await code.keys("ArrowDown");
  await code.keys("End");
}

const ghostAfter = (text) => code.ghostAfter(text);

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
  const bar = await until("the status bar: tier, model, backend, speed", async () => {
    const text = await code.bar();
    return /small \(completion\): inlined-fim-135m: cpu .* \d+ tokens\/s/.test(text) && text;
  });
  passed(`status bar: ${bar.replace(/\s+/g, " ").trim()}`);
  await code.keys("Escape", "Home");
  await code.type("in");
  const why = await until("the status bar says why nothing is shown", async () =>
    /no suggestion, (.*?) small \(/.exec(await code.bar())?.[1]);
  passed(`why nothing is shown: ${why}`);
  await code.command("inlined: Status and Menu");
  const rows = await until("the menu", async () => {
    const all = await code.rows();
    return all.some((r) => r.includes("Check this machine")) && all;
  });
  await code.picture("menu.png");
  await code.keys("Escape");
  passed(`menu: ${rows.length} entries`);
}

/** The output channel, as far as its panel shows it. */
async function log() {
  return (await code.texts(".part.panel .view-line")).join("").replace(/\s/g, "");
}

async function shows_the_log() {
  await again();
  await code.command("inlined: Status and Menu");
  await code.choose("Show the log");
  await until("the log", async () => (await log()).includes("bin/inlined(bundled)"));
  passed("the menu shows the log");
  await code.command("View: Focus Active Editor Group");
  equal((await log()).includes("Sendingrequest"), false, "messages in the log without the setting");
  code.configure({ "inlined.trace.server": "messages" });
  await until("the messages", async () => {
    await code.command("inlined: Show What the Model Sees Here"); // a request
    return /Sendingrequest'inlined\/context\/explain-\(\d+\)'/.test(await log());
  });
  await code.picture("trace.png");
  code.configure({ "inlined.trace.server": "off" });
  await code.keys("Control+J");
  await code.command("View: Close All Editors");
  await code.show(file);
  passed("the messages between editor and daemon are in it, when the setting wants them");
}

async function pauses() {
  await again();
  await code.command("inlined: Pause in This File");
  await until("the status bar says so", async () => /Paused/.test(await code.bar()));
  await code.type(" += ");
  await sleep(1000);
  equal(await code.ghost(), "", "ghost text while paused");
  await code.command("inlined: Resume");
  await until("the status bar says so", async () => !/Paused/.test(await code.bar()));
  for (const pause of ["Pause for python", "Pause everywhere"]) {
    for (const choice of [pause, "Resume"]) {
      await code.command("inlined: Status and Menu");
      await code.choose(choice);
      await until(`${choice}: the status bar says so`, async () =>
        /Paused/.test(await code.bar()) === (choice !== "Resume"));
    }
  }
  await again();
  await ghostAfter(" += ");
  passed("pause in this file, for the language and everywhere, and resume");
}

async function other_documents() {
  await code.show(path.join(work, "beta/other.py"));
  await code.goTo(LINE, 14);
  passed(`the second folder of the workspace: "${(await ghostAfter(" += ")).trim()}"`);
  await code.command("File: Revert File");
  await code.command("File: New Untitled Text File");
  await until("the tab", async () => /Untitled/.test(await code.tab()));
  passed(`a file without a name: "${(await ghostAfter("for i in range(10):\n    pri")).trim()}"`);
  await code.command("View: Revert and Close Editor");
  await code.show(path.join(work, "beta/note.ipynb"));
  const lines = code.page.locator(".notebookOverlay .cell .view-lines").first();
  await lines.click();
  await code.keys("Control+Home");
  for (let i = 1; i < LINE; i++) await code.keys("ArrowDown");
  await code.keys("End");
  passed(`a cell of a notebook: "${(await ghostAfter(" += ")).trim()}"`);
  await code.command("View: Revert and Close Editor");
  await code.show(file);
}

async function server_comes_back() {
  const [pid] = servers();
  if (!pid) throw new Error("no server out of the .vsix runs");
  await again();
  process.kill(pid, "SIGKILL");
  await until("another server", async () => servers().some((p) => p !== pid));
  await ghostAfter(" += ");
  await code.saved(file);
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
  await code.saved(file);
  passed(`daemon ${pid} was killed and ${code.daemons()} suggests`);
}

const tools = { code, git, work, build, folder, hub, passed, equal, servers, again, ghostAfter };
let failed = 0;
try {
  await code.open(path.join(work, "both.code-workspace"), file);
  const all = [shows_and_accepts, takes_a_word, dismisses, says_why, shows_the_log, pauses, other_documents,
    server_comes_back, daemon_comes_back, ...actions(tools), ...machine(tools)];
  for (const step of all.filter((f) => !only.length || only.includes(f.name))) await step();
} catch (error) {
  failed = 1;
  console.log(`FAILED: ${error.stack}`);
  await code.picture("failure.png").catch(() => undefined);
  await code.keys("Escape", "Escape").catch(() => undefined); // a list may be open
  await Promise.race([code.command("Notifications: Show Notifications").catch(() => undefined), sleep(10000)]);
  console.log(`notifications: ${(await code.texts(".notification-list-item-message")).join(" | ")}`);
  console.log(`picture: ${folder}/state/failure.png; logs beside it`);
} finally {
  await code.end();
  hub.end();
}
if (!failed) {
  await until("no daemon is left", async () => servers().length + code.daemons().length === 0).catch((error) => {
    failed = 1;
    console.log(`FAILED: ${error.message}: ${servers()} ${code.daemons()}`);
  });
}
if (!failed && (!only.length || only.includes("first_start"))) {
  await firstStart({
    server, vsix: path.join(build, "inlined.vsix"), folder: path.join(folder, "first"),
    file: path.join(work, "beta/other.py"), line: LINE, column: 14, passed, equal,
  }).catch((error) => {
    failed = 1;
    console.log(`FAILED: ${error.stack}`);
  });
}
process.exit(failed);
