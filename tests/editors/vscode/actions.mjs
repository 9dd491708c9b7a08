// SPDX-License-Identifier: Apache-2.0
// What is done on demand: the menu of code actions, hovers, explanations, reviews, edits with their preview, commit
// messages, approvals.  The daemon is the real one; where a model would write, it says what is written here.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { sleep, until } from "./code.mjs";

const FENCE = "```";
const EXPLANATION = `# What it does

**total_value** adds up *price times quantity* over all items of the list.

1. It begins with a sum of zero.
2. Each item adds its price, as often as there are pieces of it.
3. The sum is given back; for an empty list that is \`0.0\`.

Watch out: a negative quantity makes the sum smaller, and nothing checks for it. The prices are floating point
numbers, so that sums of many of them are off in the last digits.

It is called with the whole stock of the shop, and takes as long as that has items; nothing is kept between two calls.
Who wants to see the value of one kind of thing only passes a list that holds just these. End of the page.
`;
const SCRIPT = [
  { when: "there are 7 of them", say: "It adds up the 7 items of the left shelf." },
  {
    when: "Answer this question about the code: how many are there?",
    say: '<tool_call>\n{"name": "counter__count", "arguments": {"shelf": "left"}}\n</tool_call>',
  },
  { when: "Explain this code to a programmer", say: EXPLANATION, until: "seen" },
  { when: "Answer this question about the code: who calls it?", say: "Nobody in this file calls it." },
  {
    when: "Review this code",
    say: JSON.stringify({ findings: [
      { line: 24, severity: "information",
        message: "A negative quantity makes the total smaller: nothing checks for it.",
        replacement: "total += item.price * max(0, item.quantity)" },
      { line: 22, severity: "hint", message: "sum() with a generator says the same in one line.", replacement: null },
    ] }),
  },
  {
    when: "Improve this code",
    say: `${FENCE}python\ndef total_value(items: list[Item]) -> float:\n` +
      '    """Sum of price times quantity over all items."""\n' +
      `    return sum(item.price * item.quantity for item in items\n${FENCE}\n`,
  },
  {
    when: "None when there is nothing",
    say: `${FENCE}python\ndef cheapest(items: list[Item]) -> Item | None:\n` +
      `    return min(items, key=lambda item: item.price, default=None)\n${FENCE}\n`,
  },
  { when: "Write the commit message", say: "Count what stands on the shelves\n\nThe shop wants its stock by name." },
];

// An MCP server of the test's, as small as one can be.
const TOOL = {
  name: "count", description: "Counts pieces.",
  inputSchema: { type: "object", properties: { shelf: { type: "string" } }, required: ["shelf"] },
};
const SERVER = `
let all = "";
const answers = {
  initialize: () => ({
    protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "t", version: "1" },
  }),
  "tools/list": () => ({ tools: [${JSON.stringify(TOOL)}] }),
  "tools/call": () => ({ content: [{ type: "text", text: "there are 7 of them" }] }),
};
process.stdin.on("data", (data) => {
  const lines = (all += data).split("\\n");
  all = lines.pop();
  for (const line of lines.filter(Boolean)) {
    const { id, method } = JSON.parse(line);
    if (id === undefined) continue;
    console.log(JSON.stringify({ jsonrpc: "2.0", id, result: (answers[method] ?? (() => ({})))() }));
  }
});
`;

export function actions({ code, git, work, build, folder, passed, equal, servers }) {
  const shop = path.join(work, "alpha/shop.py");
  const text = fs.readFileSync(shop, "utf8");
  const lineOf = (words) => text.split("\n").findIndex((l) => l.includes(words)) + 1;
  const here = lineOf("def total_value");

  /** The file as it was, the cursor at a line. */
  async function at(line, column = 1) {
    await code.keys("Escape");
    if (!(await code.tab()).includes("shop.py")) await code.show(shop);
    await code.command("File: Revert File");
    await code.goTo(line, column);
  }

  async function menu() {
    return until("the menu of code actions", async () => {
      await code.keys("Control+."); // once more: the host may still be starting
      for (let looks = 0; looks < 100; looks++) {
        const all = (await code.texts(".action-widget .monaco-list-row")).map((t) => t.trim());
        if (all.length) return all;
        await sleep(100);
      }
      await code.keys("Escape");
      return false;
    });
  }

  async function take(words) {
    await until(`${words} in the menu`, async () => {
      if ((await code.texts(".action-widget .monaco-list-row.focused")).some((t) => t.includes(words))) return true;
      await code.keys("ArrowDown");
      return false;
    });
    await code.keys("Enter");
  }

  async function action_menu() {
    await code.show(shop);
    await at(here, 6);
    const titles = await menu();
    await code.picture("actions.png");
    for (const want of ["Improve total_value (model)", "Rewrite total_value with instruction... (model)",
      "Add types to total_value (model)", "Generate tests for total_value (model)", "Explain total_value (model)",
      "Review total_value (model)", "Review this file (model)"])
      if (!titles.some((t) => t.includes(want))) throw new Error(`no "${want}" in the menu: ${titles.join(" | ")}`);
    await code.keys("Escape");
    passed(`the menu of code actions: ${titles.length} entries`);
  }

  async function exact_refactoring() {
    const line = lineOf("total += item.price");
    await at(line, 18);
    await code.keys("Shift+End");
    await code.command("inlined: Extract Variable or Function (no model)");
    await until("the new variable", async () =>
      (await code.saved(shop)).includes("        value = item.price * item.quantity\n        total += value\n"));
    await code.keys("Control+Z");
    equal(await code.saved(shop), text, "one undo brings it back");
    passed("extract variable without a model, and one undo");
  }

  async function hover() {
    await at(here, 8);
    await code.command("Show or Focus Hover");
    const shown = await until("the hover", async () =>
      (await code.texts(".monaco-hover")).find((t) => t.includes("total_value(items: list[Item]) -> float")));
    equal(shown.includes("Sum of price times quantity over all items."), true, `its documentation: ${shown}`);
    await sleep(300); // it fades in
    await code.picture("hover.png");
    await code.keys("Escape");
    passed("hover: the signature and the documentation");
  }

  function running() {
    try {
      return execFileSync("pgrep", ["-f", `${build}/tests/scripted_model `], { encoding: "utf8" });
    } catch {
      return "";
    }
  }

  /** From here on the daemon says what the script says; a person changes the program by this setting. */
  async function scripted() {
    const script = SCRIPT.map((line) => (line.until ? { ...line, until: path.join(folder, line.until) } : line));
    fs.writeFileSync(path.join(folder, "script.json"), JSON.stringify(script));
    code.configure({
      "inlined.server.path": path.join(build, "tests/scripted_model"),
      "inlined.server.arguments": ["--no-daemon", "--log-level", "info"], // the user's daemon says what models say
      "inlined.mcp.builtIn": false, // one tool makes a short prompt
    });
    await until("another daemon", () => running());
    await until("the old one has gone", () => servers().length === 0);
    await until("the model", async () => /ready.*actions/.test(await code.bar()));
    await until("one daemon, though two settings changed", () => running().trim().split("\n").length === 1);
    passed("another daemon by a setting");
  }

  async function explanation() {
    await at(here, 6);
    await code.command("inlined: Explain");
    const early = await until("the page begins", async () => {
      const shown = await code.rendered();
      return shown.includes("What it does") && shown;
    });
    equal(early.includes("End of the page"), false, "the page grows while the model writes");
    fs.writeFileSync(path.join(folder, "seen"), ""); // it goes on
    await until("all of the page", async () => (await code.rendered()).includes("End of the page"));
    const bold = await Promise.all(code.page.frames().map((f) =>
      f.evaluate(() => document.querySelector("strong")?.textContent).catch(() => undefined)));
    equal(bold.includes("total_value"), true, "Markdown is shown rendered");
    await code.picture("explain.png");
    equal((await code.tab()).includes("shop.py"), true, "the keys stay in the code");
    await code.command("inlined: Ask About This Code...");
    await code.input("inlined: Answer");
    await code.type("who calls it?");
    await code.keys("Enter");
    await until("the answer", async () => (await code.rendered()).includes("Nobody in this file calls it."));
    await code.command("View: Close All Editors");
    await code.show(shop);
    passed("an explanation grows on a page beside the code; a question gets its answer there");
  }

  async function review() {
    await at(here, 6);
    await code.command("inlined: Review");
    await code.told("2 findings in 1 piece");
    await code.quiet();
    await code.keys("Control+Shift+M");
    const rows = await until("the findings in Problems", async () => {
      const all = await code.texts(".markers-panel .monaco-list-row");
      return all.some((t) => t.includes("A negative quantity")) && all;
    });
    equal(rows.some((t) => t.includes("sum() with a generator")), true, `both findings: ${rows.join(" | ")}`);
    await code.picture("review.png");
    await code.command("View: Focus Active Editor Group");
    await code.goTo(lineOf("total += item.price"), 12);
    const bulb = code.page.locator("[class*=codicon-light]:visible, [class*=codicon-gutter-light]:visible").first();
    await bulb.waitFor();
    await bulb.click();
    await take("Fix what the review found");
    await until("the fix", async () => (await code.saved(shop)).includes("item.price * max(0, item.quantity)"));
    await code.keys("Control+Z");
    equal(await code.saved(shop), text, "one undo");
    await code.keys("Control+J");
    passed("a review's findings are in Problems, and the quick fix of one changes the code");
  }

  async function preview() {
    await at(here, 6);
    await menu();
    await take("Improve total_value");
    await until("the refactor preview", async () =>
      (await code.texts(".bulk-edit-panel")).some((t) => t.includes("shop.py")));
    await code.picture("preview.png");
    equal(fs.readFileSync(shop, "utf8"), text, "nothing is changed before it is confirmed");
    await code.page.locator(".bulk-edit-panel .monaco-button", { hasText: "Discard" }).click();
    await code.command("View: Focus Active Editor Group");
    passed("an edit that would not parse is shown in the preview first");
  }

  /** Answers the box for the instruction. */
  async function instructed() {
    await code.type("None when there is nothing");
    await code.keys("Enter");
    await until("the change", async () => (await code.saved(shop)).includes("default=None"));
    await code.keys("Control+Z");
    equal(await code.saved(shop), text, "one undo");
  }

  async function instruction() {
    await at(lineOf("def cheapest"), 6);
    await code.command("inlined: Rewrite with Instruction...");
    await code.input("inlined: Rewrite");
    await instructed();
    passed("rewrite with an instruction, and one undo");
    await at(lineOf("def cheapest"), 6);
    await menu();
    await take("Rewrite cheapest with instruction");
    await code.input("inlined: Rewrite");
    await instructed();
    passed("the same out of the menu of code actions");
  }

  async function commit() {
    fs.appendFileSync(path.join(work, "alpha/shop.py"), "\n# by name\n");
    git("add", "shop.py");
    await until("VS Code knows the repository", async () => {
      await code.command("inlined: Write Commit Message");
      await sleep(1000);
      const none = (await code.texts(".notification-list-item-message")).some((t) => t.includes("no git repository"));
      if (none) await code.quiet();
      return !none;
    });
    await until("the message in its box", async () =>
      (await code.texts(".scm-editor")).some((t) => t.includes("Count what stands on the shelves")));
    await code.picture("commit.png");
    git("reset", "-q", "--hard");
    passed("a commit message in the box of source control");
  }

  async function approval() {
    const script = path.join(work, "alpha/server.mjs");
    fs.writeFileSync(script, SERVER);
    fs.writeFileSync(path.join(work, "alpha/.mcp.json"),
      JSON.stringify({ mcpServers: { counter: { command: process.execPath, args: [script] } } }));
    const before = running();
    await code.command("inlined: Restart the Daemon");
    await until("another daemon", () => running() && running() !== before);
    await until("it is ready", async () => /ready.*actions/.test(await code.bar()));
    await code.command("inlined: Show MCP Servers and Tools");
    const box = await until("the question", async () => (await code.texts(".monaco-dialog-box"))[0]);
    equal(box.includes("This project wants to start the MCP server counter."), true, `what is decided: ${box}`);
    equal(box.includes(script), true, `with the whole command line: ${box}`);
    await code.picture("approval.png");
    await code.page.locator(".monaco-dialog-box .monaco-button", { hasText: "Start it" }).click();
    await until("its tools", async () => {
      await code.command("inlined: Show MCP Servers and Tools");
      return (await code.texts(".view-line")).some((t) => t.includes("counter__count"));
    });
    await code.command("View: Close All Editors");
    await code.show(shop);
    passed("an MCP server starts after a modal box with its command line was answered");
  }

  async function tool_call() {
    await at(here, 6);
    await code.command("inlined: Ask About This Code...");
    await code.input("inlined: Answer");
    await code.type("how many are there?");
    await code.keys("Enter");
    const box = await until("the question", async () => (await code.texts(".monaco-dialog-box"))[0]);
    equal(box.includes("May the model call count of counter?"), true, `what is decided: ${box}`);
    equal(/\{\s*"shelf":\s*"left"\s*\}/.test(box), true, `with all arguments: ${box}`);
    await code.picture("tool.png");
    await code.page.locator(".monaco-dialog-box .monaco-button", { hasText: "Allow once" }).click();
    await until("the answer", async () => (await code.rendered()).includes("the 7 items of the left shelf"));
    await code.command("View: Close All Editors");
    await code.show(shop);
    passed("a tool is called after a modal box with its arguments was answered");
  }

  return [action_menu, exact_refactoring, hover, scripted, explanation, review, preview, instruction, commit, approval,
    tool_call];
}
