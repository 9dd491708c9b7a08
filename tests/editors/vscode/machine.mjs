// SPDX-License-Identifier: Apache-2.0
// Models, tiers, what other tools report, the doctor, and a daemon that does not stay.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { SETTINGS, sleep, until } from "./code.mjs";

export function machine({ code, folder, work, hub, passed, equal, servers }) {
  const fetched = path.join(process.env.XDG_DATA_HOME || path.join(os.homedir(), ".local/share"),
    `inlined/models/${hub.name}.gguf`);

  async function other_tools() {
    code.configure({ "inlined.context.crossFile": "on" });
    await code.show(path.join(work, "alpha/broken.json"));
    await until("VS Code's own complaint", () => code.page.locator(".squiggly-warning, .squiggly-error").count());
    await code.goTo(3, 13);
    await until("it in the prompt", async () => {
      await code.command("inlined: Show What the Model Sees Here");
      const shown = (await code.texts(".view-line")).join("\n");
      return /Duplicate object key/.test(shown);
    });
    await code.command("View: Close All Editors");
    await code.show(path.join(work, "alpha/inventory.py"));
    code.configure({ "inlined.context.crossFile": "auto" });
    passed("what another tool reports is in the prompt");
  }

  /** An entry of the status bar's menu. */
  async function fromMenu(words) {
    await code.command("inlined: Status and Menu");
    await code.choose(words);
  }

  async function models() {
    await fromMenu("Models...");
    await code.choose(hub.name);
    await code.choose("Fetch it");
    await code.told(/of-the-test.*\d+ %/);
    await code.picture("fetch.png");
    hub.held = false;
    await code.told("is on this machine now");
    equal(fs.existsSync(fetched), true, "the file is there");
    await code.quiet();
    await code.command("inlined: Models...");
    await code.choose(hub.name);
    await code.choose("Delete its file");
    await code.page.locator(".monaco-dialog-box .monaco-button", { hasText: "Delete" }).click();
    await until("the file is gone", () => !fs.existsSync(fetched));
    passed("a model is fetched with its progress shown, and deleted");
    await fromMenu("Switch the tier...");
    await code.choose("medium");
    await until("the setting", () => code.settingsNow()["inlined.roles.completion"] === "medium");
    await until("the status bar", async () => /medium \(.*completion/.test(await code.bar()));
    await code.command("inlined: Switch Tier...");
    await code.choose("small");
    await until("the status bar", async () => /small \(completion/.test(await code.bar()));
    passed("the tier that suggests is switched");
    await code.command("inlined: Use the Model That Suits This Machine");
    await code.told(/makes the suggestions from now on|fits here/);
    passed(`what suits this machine: ${code.settingsNow()["inlined.tiers.small.model"]}`);
    await code.quiet();
  }

  async function doctor() {
    await fromMenu("Check this machine");
    await until("the table", async () => (await code.texts(".view-line")).some((t) => /doctor/.test(t)));
    await code.command("View: Close All Editors");
    await code.command("Welcome: Open Walkthrough...");
    await code.choose("Start with inlined");
    await until("the walkthrough", async () =>
      (await code.texts(".gettingStartedContainer")).some((t) => t.includes("Choose a model for this machine")));
    await code.picture("walkthrough.png");
    await code.command("View: Close All Editors");
    passed("doctor and walkthrough");
  }

  /** A program in the daemon's place. */
  const program = (name, text) => {
    const at = path.join(folder, name);
    fs.writeFileSync(at, text, { mode: 0o755 });
    return at;
  };

  async function wrong_version() {
    const old = program("old", `#!${process.execPath}
let all = "";
process.stdin.on("data", (data) => {
  const found = /"id":(\\d+|"[^"]*"),"method":"initialize"/.exec(all += data);
  if (!found) return;
  all = "";
  const text = JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(found[1]),
    result: { capabilities: {}, serverInfo: { name: "inlined", version: "0.0.9" } } });
  process.stdout.write("Content-Length: " + text.length + "\\r\\n\\r\\n" + text);
});
`);
    code.configure({ "inlined.server.path": old });
    const said = await code.told("the daemon of 0.0.9");
    equal(/Update it/.test(said), true, `with what to do: ${said}`);
    await code.quiet();
    passed(`another version is a sentence: ${said}`);
  }

  async function stays_off() {
    code.configure({ "inlined.server.path": "", "inlined.server.arguments": SETTINGS["inlined.server.arguments"] });
    await until("the bundled daemon", async () => servers().length === 1 && /ready/.test(await code.bar()));
    let last = 0;
    for (let kills = 0; kills < 6; kills++) {
      const pid = await until("another one", async () =>
        /ready/.test(await code.bar()) && servers().find((p) => p !== last));
      await sleep(1000); // "ready" may still be of the one before, and a start that breaks off has VS Code's own errors
      process.kill(last = pid, "SIGKILL");
    }
    const said = await code.told("stays off");
    equal(servers().filter((p) => p !== last).length, 0, "servers");
    await code.picture("off.png");
    passed(`a server that was killed six times in three minutes: ${said}`);
    await code.command("inlined: Restart the Daemon");
    await until("the daemon", async () => /ready/.test(await code.bar()));
    passed("and started again by hand");
  }

  /** Of the many starts before this step; one alone may be over before the window is drawn again. */
  async function shows_loading() {
    const all = await code.bars();
    const loading = all.find((text) => /^spins .*LOADING/i.test(text));
    equal(loading !== undefined, true, `loading in the status bar: ${all.join(" | ")}`);
    passed(`the status bar showed a model that loads: ${loading.replace(/\s+/g, " ")}`);
  }

  return [other_tools, models, doctor, wrong_version, stays_off, shows_loading];
}
