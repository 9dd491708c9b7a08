// SPDX-License-Identifier: Apache-2.0
// Types at places of a file in a real VS Code and says, a line of JSON for each sample, when the key was pressed
// and when the ghost text was on the screen: microseconds of the wall clock, by the page's own clock.
//   node vscode.mjs CODE_SERVER VSIX DAEMON FOLDER < [[before, key, after], ...]
import fs from "node:fs";
import path from "node:path";
import { Code, sleep, until } from "../../editors/vscode/code.mjs";

const [server, vsix, daemon, folder] = process.argv.slice(2).map((p) => path.resolve(p));
const places = JSON.parse(fs.readFileSync(0, "utf8"));
const file = path.join(folder, "work/inventory.py");
fs.mkdirSync(path.dirname(file), { recursive: true });
fs.writeFileSync(file, "\n");
const code = await Code.start({ server, vsix, state: path.join(folder, "state"),
  settings: { "inlined.server.path": daemon, "inlined.trace.server": "messages", // latency.py reads the log
    "editor.autoIndent": "none", "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never", "editor.autoSurround": "never" } });

// In the page: the time of the last key, and of the end of the frame in which ghost text appeared after it.
function watch() {
  const wall = (t) => (performance.timeOrigin + t) * 1000;
  const ghost = () => [...document.querySelectorAll('[class*="ghost-text"]')].some((e) => e.textContent.trim());
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    if (window.inlinedBench.painting) window.inlinedBench.painted = wall(performance.now());
    window.inlinedBench.painting = false;
  };
  window.inlinedBench = { pressed: 0, painted: 0, painting: false };
  addEventListener("keydown", (event) => {
    window.inlinedBench = { pressed: wall(event.timeStamp), painted: 0, painting: false };
  }, true);
  new MutationObserver(() => {
    const now = window.inlinedBench;
    if (now.painted || now.painting || !ghost()) return;
    now.painting = true;
    requestAnimationFrame(() => channel.port2.postMessage(0));
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}

/** The file with this text and the cursor behind `before`, nothing shown. */
async function place(before, after) {
  fs.writeFileSync(file, before + after);
  await code.command("File: Revert File");
  await sleep(300);
  await code.command("Go to Line/Column...");
  const lines = before.split("\n");
  await code.page.keyboard.type(`${lines.length}:${lines.at(-1).length + 1}`);
  await code.keys("Enter");
  await sleep(300);
  await code.keys("Escape");
  await sleep(200);
}

/** Presses a key and waits for what it brings; nothing when ghost text was there already or none came. */
async function press(key, ms) {
  if (await code.ghost()) return null;
  await code.page.keyboard.press(key);
  try {
    return await until("paint", async () => {
      const now = await code.page.evaluate(() => window.inlinedBench);
      return now.painted && now;
    }, ms);
  } catch {
    return null;
  }
}

function tell(scenario, sample) {
  if (sample) console.log(JSON.stringify({ scenario, pressed: sample.pressed, painted: sample.painted }));
}

try {
  await code.open(path.dirname(file), file);
  await until("the model is ready", async () => /135m/.test(await code.bar()), 60000);
  await code.page.evaluate(watch);
  for (const [before, key, after] of places) {
    await place(before, after);
    const fresh = await press(key === " " ? "Space" : key, 4000);
    if (!fresh) continue;
    tell("fresh", fresh);
    await code.keys("~"); // a wrong letter, and taken back
    await sleep(700);
    await code.keys("Escape");
    tell("cache", await press("Backspace", 2000));
  }
} finally {
  await code.end();
}
