// SPDX-License-Identifier: Apache-2.0
// The first start on a machine without any model: the offer, one click, its download, ghost text; then the walkthrough.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Code, until } from "./code.mjs";
import { Hub } from "./hub.mjs";

/** What the extension takes for the suggestions is the largest model up to this (src/models.ts). */
function most() {
  const cores = os.availableParallelism();
  return Math.floor(Math.min(os.totalmem() / 8, cores >= 8 ? 2.1e9 : cores >= 4 ? 0.75e9 : 0.6e9));
}

/** file: with line and column where ghost text must come after " += ". */
export async function firstStart({ server, vsix, folder, file, line, column, passed, equal }) {
  const here = process.env.XDG_DATA_HOME || path.join(os.homedir(), ".local/share");
  const data = fs.readFileSync(path.join(here, "inlined/models/inlined-fim-135m-q8_0.gguf"));
  const hub = await Hub.start(path.join(folder, "config"), {
    data, piece: 20_000_000, fim: "psm", context_tokens: 8192, memory_bytes: most(),
  });
  const code = await Code.start({
    server, vsix, state: path.join(folder, "state"),
    env: { XDG_CONFIG_HOME: path.join(folder, "config"), XDG_DATA_HOME: path.join(folder, "data") },
  });
  const button = (words) => code.page.locator(".notifications-toasts .monaco-button", { hasText: words }).first();
  try {
    await code.open(path.dirname(file), file);
    await code.told("inlined needs a model, and there is none on this machine yet");
    await code.picture("offer.png");
    await button(`Fetch ${hub.name}`).click();
    await code.told(`${hub.name} makes the suggestions from now on`);
    equal(code.settingsNow()["inlined.tiers.small.model"], hub.name, "the setting");
    await until("the model", async () => /ready/.test(await code.bar()));
    await code.quiet();
    await code.goTo(line, column);
    const ghost = await code.ghostAfter(" += ");
    passed(`without a model: offered, fetched by one click, and it suggests "${ghost.trim()}"`);
    await code.command("File: Revert File");
    await code.command("Welcome: Open Walkthrough...");
    await code.choose("Start with inlined");
    const step = code.page.locator(".gettingStartedContainer .getting-started-step.expanded");
    await step.locator(".monaco-button", { hasText: "Use What Suits This Machine" }).click();
    await code.told(`${hub.name} makes the suggestions from now on`);
    passed("the walkthrough's button takes what suits this machine");
  } catch (error) {
    console.log(`notifications: ${(await code.texts(".notification-list-item-message")).join(" | ")}`);
    console.log(`picture: ${await code.picture("failure.png").catch(() => "none")}`);
    throw error;
  } finally {
    await code.end();
    hub.end();
    fs.rmSync(path.join(folder, "data"), { recursive: true, force: true });
  }
  await until("no daemon is left", () => code.daemons().length === 0);
}
