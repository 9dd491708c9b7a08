// SPDX-License-Identifier: Apache-2.0
// A real VS Code (code-server) with our .vsix in a headless Chromium: started, driven and ended.  What is a
// test is in live.mjs; here is how one looks at an editor without being fooled:
//   - ghost text may need a key more while the extension host starts: typing is repeated, nothing sleeps blindly
//   - Monaco writes blanks as U+00A0
//   - what was accepted is judged by the saved file, not by the DOM
import { spawn, execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";

// The extension's own node_modules has it; this folder is not among its parents.
const { chromium } = createRequire(new URL("../../../editors/vscode/package.json", import.meta.url))("playwright-core");

export const SETTINGS = {
  "security.workspace.trust.enabled": false,
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Dark Modern",
  "editor.inlineSuggest.enabled": true,
  "editor.quickSuggestions": { other: "off" },
  "editor.minimap.enabled": false,
  "editor.fontSize": 15,
  "git.openRepositoryInParentFolders": "never",
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "chat.commandCenter.enabled": false,
  "chat.disableAIFeatures": true,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "files.autoSave": "off",
  "inlined.completion.timeBudgetMs": 0, // other tests may take the processor
  "inlined.completion.deadlineMs": 0,
  "inlined.completion.confidence": 0, // unsure suggestions are shown, too
  "inlined.completion.cutBelow": 0,
  "inlined.server.arguments": ["--log-level", "info", "--idle-exit", "3"],
};

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const BAR = '[id="inlined.inlined.inlined.status"], [id$="inlined.status"]';
const WAIT_MS = 180000; // a model computes, and the machine may have other work

/** Waits until `look` gives something true, and gives that; after `ms` it throws `what`. */
export async function until(what, look, ms = WAIT_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`not seen within ${ms / 1000} s: ${what}`);
    await sleep(50);
  }
}

export class Code {
  /** server: folder of code-server; state: an empty folder for everything that it writes. */
  static async start({ server, state, vsix, settings = {}, env = {} }) {
    const code = new Code();
    code.state = state;
    code.port = await freePort();
    code.entry = path.join(server, "node_modules/code-server/out/node/entry.js");
    fs.mkdirSync(path.join(state, "user/User"), { recursive: true });
    fs.mkdirSync(path.join(state, "user/Machine"), { recursive: true });
    fs.mkdirSync(path.join(state, "extensions"), { recursive: true });
    code.settings = { ...SETTINGS, ...settings };
    code.configure({});
    fs.writeFileSync(path.join(state, "config.yaml"), `bind-addr: 127.0.0.1:${code.port}\nauth: none\ncert: false\n`);
    code.runtime = path.join(state, "run");
    fs.mkdirSync(code.runtime, { recursive: true, mode: 0o700 });
    const args = ["--config", path.join(state, "config.yaml"), "--user-data-dir", path.join(state, "user"),
      "--extensions-dir", path.join(state, "extensions")];
    execFileSync(process.execPath, [code.entry, ...args, "--install-extension", vsix, "--force"], { stdio: "pipe" });
    const log = fs.openSync(path.join(state, "code-server.log"), "w");
    code.process = spawn(process.execPath, [code.entry, ...args, "--disable-telemetry", "--disable-update-check",
      "--disable-getting-started-override"], { stdio: ["ignore", log, log], detached: true,
      env: { ...process.env, ...env, XDG_RUNTIME_DIR: code.runtime } }); // its daemon is nobody else's
    await until("code-server answers", async () => {
      try {
        return (await fetch(`http://127.0.0.1:${code.port}/healthz`)).ok;
      } catch {
        return false;
      }
    });
    code.browser = await chromium.launch({
      executablePath: process.env.INLINED_CHROMIUM || "/usr/bin/chromium",
      headless: true,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
    });
    code.page = await (await code.browser.newContext({ viewport: { width: 1100, height: 700 } })).newPage();
    code.page.setDefaultTimeout(WAIT_MS);
    return code;
  }

  /** Changes the user's settings and those of the machine that the extension runs on; VS Code sees the files. */
  configure(more) {
    Object.assign(this.settings, more);
    const machine = Object.entries(this.settings).filter(([name]) => name.startsWith("inlined."));
    fs.writeFileSync(path.join(this.state, "user/User/settings.json"), JSON.stringify(this.settings));
    fs.writeFileSync(path.join(this.state, "user/Machine/settings.json"), JSON.stringify(Object.fromEntries(machine)));
  }

  /** The user's settings as they are in the file, where the extension writes, too. */
  settingsNow() {
    return JSON.parse(fs.readFileSync(path.join(this.state, "user/User/settings.json"), "utf8"));
  }

  /** A folder or a .code-workspace, in a fresh window, with a file of it. */
  async open(folder, file) {
    const host = `127.0.0.1:${this.port}`;
    const payload = encodeURIComponent(JSON.stringify([["openFile", `vscode-remote://${host}${file}`]]));
    const kind = folder.endsWith(".code-workspace") ? "workspace" : "folder";
    await this.page.goto(`http://${host}/?${kind}=${encodeURIComponent(folder)}&payload=${payload}`,
      { waitUntil: "domcontentloaded" });
    await this.page.waitForSelector(".editor-instance .view-lines .view-line", { timeout: WAIT_MS });
    await this.page.locator(".editor-instance .view-lines").first().click();
    await this.page.evaluate((item) => {
      window.inlinedBars = new Set();
      const look = () => document.querySelectorAll(item).forEach((e) => window.inlinedBars.add(
        `${e.querySelector(".codicon-loading") ? "spins " : ""}${e.textContent} ` +
        `${e.querySelector("a")?.getAttribute("aria-label")}`));
      new MutationObserver(look).observe(document.querySelector(".part.statusbar"),
        { subtree: true, childList: true, characterData: true, attributeFilter: ["aria-label", "class"] });
    }, BAR);
  }

  /** All that the status bar item has said in this window, also what stood there for a moment only. */
  async bars() {
    return this.page.evaluate(() => [...window.inlinedBars]);
  }

  async keys(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  async type(text) {
    await this.page.keyboard.type(text, { delay: 20 });
  }

  /** Opens a list by its key, when the one before is gone, and has the keys go there. */
  async list(key) {
    await until("no list is open", async () => !(await this.page.locator(".quick-input-widget:visible").count()));
    await this.keys(key);
    await this.input();
  }

  /** Waits for a box that takes keys, the one with `title` if that is given. */
  async input(title = "") {
    await until(`the keys go into the box ${title}`, () => this.page.evaluate((words) => {
      const box = document.activeElement?.closest(".quick-input-widget");
      return box && (box.querySelector(".quick-input-title")?.textContent ?? "").includes(words);
    }, title));
  }

  /** Runs a command of the palette by its title, when it is the one that Enter takes: the list follows the keys
   * with a delay. */
  async command(title) {
    await this.list("F1");
    await this.page.keyboard.insertText(title); // a key at a time would cost the test a minute
    let looks = 0;
    await until(`command ${title}`, async () => {
      const first = await this.page.locator(".quick-input-list .monaco-list-row.focused .label-name").allTextContents();
      if (first[0]?.trim() === title) return true;
      if (++looks % 20 === 0) await this.keys("ArrowDown"); // others match, too
      return false;
    });
    await this.keys("Enter");
    await until("the palette is closed", () => this.page.evaluate(() => {
      const box = document.activeElement?.closest(".quick-input-widget");
      return !box?.querySelector("input")?.value.startsWith(">");
    }));
  }

  /** Another file of the same window, by its whole path: the search for names wants a program that is not here. */
  async show(file) {
    const name = path.basename(file);
    for (let looks = 0, found = false; !found; looks++) {
      if (looks % 10 === 0) { // a box that an editor's own focus closed again is opened again
        await this.keys("Escape");
        await this.list("Control+P");
        await this.page.keyboard.insertText(file);
      }
      found = await until(`${name} in the list`, async () => (await this.rows())[0]?.includes(name), 3000)
        .catch((error) => { if (looks === 60) throw error; });
    }
    await this.keys("Enter");
    await until(`the tab ${name}`, async () => (await this.tab()).includes(name));
    await until(`the text of ${name}`, () => this.page.locator(".view-lines .view-line:visible").count());
  }

  async tab() {
    return (await this.page.locator(".editor-group-container.active .tab.active").allTextContents()).join(" ");
  }

  /** Chooses what has `words` in an open list, which shows only what fits on the screen. */
  async choose(words) {
    await this.input();
    await this.page.keyboard.insertText(words);
    const row = this.page.locator(".quick-input-list .monaco-list-row", { hasText: words }).first();
    await row.waitFor();
    await row.click();
  }

  /** The cursor before the first `words` of the file, found as a person would. */
  async goTo(line, column = 1) {
    await this.list("Control+G");
    await this.page.keyboard.insertText(`${line}:${column}`);
    await this.keys("Enter");
    await until("the list is closed", async () => !(await this.page.locator(".quick-input-widget:visible").count()));
  }

  /** What lies over the page: a menu, a hover, a box, a notification, the Problems panel. */
  async texts(selector) {
    const all = await this.page.locator(`${selector}:visible`).allTextContents();
    return all.map((t) => t.replace(/\u00a0/g, " "));
  }

  /** Waits for a notification that holds `words`. */
  async told(words) {
    const holds = (text) => (words.test ? words.test(text) : text.includes(words));
    return until(`a notification: ${words}`, async () =>
      (await this.texts(".notification-list-item-message")).find(holds));
  }

  async quiet() {
    await this.command("Notifications: Clear All Notifications");
  }

  /** The text of a page that is shown rendered, which is a frame in a frame. */
  async rendered() {
    const texts = await Promise.all(this.page.frames().slice(1).map((f) =>
      f.evaluate(() => document.body?.innerText ?? "").catch(() => "")));
    return texts.join("\n");
  }

  async rows() {
    return this.page.locator(".quick-input-list .monaco-list-row").allTextContents();
  }

  async ghost() {
    const texts = await this.page.locator('[class*="ghost-text"]').allTextContents();
    return texts.join("").replace(/\u00a0/g, " ");
  }

  /** Types `text` and then, until ghost text stands there, a blank and back: the host may still be starting. */
  async ghostAfter(text) {
    await this.type(text);
    for (let tries = 0; tries < 60; tries++) {
      try {
        return await until("ghost text", () => this.ghost(), 3000);
      } catch {
        await this.keys("Backspace");
        await this.type(text.slice(-1));
      }
    }
    throw new Error(`no ghost text after ${JSON.stringify(text)}; the status bar says: ${await this.bar()}`);
  }

  /** The status bar item: its text and, as assistive technology reads it, its tooltip. */
  async bar() {
    const item = this.page.locator(BAR).first();
    if (!(await item.count())) return "";
    return `${await item.textContent()} ${await item.locator("a").first().getAttribute("aria-label")}`;
  }

  async saved(file) {
    await until("the file is saved", async () => {
      await this.keys("Control+S"); // once more: a change may have come behind the key
      for (let looks = 0; looks < 20; looks++) {
        if (!(await this.page.locator(".tab.active.dirty").count())) return true;
        await sleep(100);
      }
      return false;
    });
    return fs.readFileSync(file, "utf8");
  }

  /** The window, or what of it lies within `clip`. */
  async picture(name, clip) {
    const file = path.join(this.state, name);
    await this.page.screenshot({ path: file, ...(clip && { clip }) });
    return file;
  }

  /** The daemons that were started with this editor's runtime folder. */
  daemons() {
    const read = (pid, file) => {
      try {
        return fs.readFileSync(`/proc/${pid}/${file}`, "latin1");
      } catch {
        return ""; // it ended, or is another user's
      }
    };
    return fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) =>
      read(pid, "cmdline").includes("\0--listen\0") &&
      read(pid, "environ").split("\0").includes(`XDG_RUNTIME_DIR=${this.runtime}`));
  }

  async end() {
    await this.browser?.close().catch(() => undefined);
    try {
      process.kill(-this.process.pid, "SIGTERM");
    } catch { /* it ended by itself */ }
  }
}
