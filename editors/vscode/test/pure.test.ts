// SPDX-License-Identifier: Apache-2.0
// What can be tested without an editor.
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import test from "node:test";
import { MODEL_ACTIONS, TREE_ACTIONS } from "../src/action_table";
import { CrashBudget, CRASHES_MAX, WINDOW_MS } from "../src/crashes";
import { DIAGNOSTICS_MOST, nearest } from "../src/diagnostics";
import { locate, versionTrouble, type Places } from "../src/locate";
import { choices, deeds, readModels, readProgress, recommend, usedFor, type Model } from "../src/models";
import { Pauses } from "../src/pause";
import { lastLine, runProgram } from "../src/program";
import { question } from "../src/questions";
import { readReport, reportLines, tierOf } from "../src/report";
import { describeTools, serverChoices } from "../src/servers";
import { daemonSettings } from "../src/settings";
import { describe, type DaemonStatus, type StatusInputs } from "../src/status";

const READY: DaemonStatus = {
  state: "ready", kind: "Normal", busy: false, message: "m ready (cpu)", model: "m", backend: "cpu", reason: "",
};
const inputs = (more: Partial<StatusInputs>): StatusInputs =>
  ({ life: "running", trouble: "", status: READY, paused: "", ...more });

test("the status bar shows each state, and why nothing is suggested", () => {
  assert.equal(describe(inputs({})).text, "$(sparkle) inlined");
  const quiet = describe(inputs({ status: { ...READY, reason: "comment", message: "the cursor is in a comment" } }));
  assert.equal(quiet.text, "$(dash) inlined");
  assert.ok(quiet.tooltip.includes("the cursor is in a comment"));
  assert.match(describe(inputs({ status: { ...READY, state: "loading", progress: 40 } })).text, /40 %/);
  assert.equal(describe(inputs({ status: { ...READY, state: "error", message: "no model" } })).severity, "error");
  assert.deepEqual(describe(inputs({ life: "stopped", trouble: "why" })).tooltip, ["why"]);
  assert.match(describe(inputs({ paused: "Paused for c." })).text, /pause/);
  assert.match(describe(inputs({ status: undefined })).text, /spin/);
});

test("a state that a newer daemon may send is shown with its message", () => {
  const odd = { ...READY, state: "dreaming", message: "hm" } as unknown as DaemonStatus;
  assert.deepEqual(describe(inputs({ status: odd })).tooltip, ["hm"]);
});

test("long messages are cut", () => {
  const long = describe(inputs({ status: { ...READY, message: "x".repeat(5000) } }));
  assert.ok((long.tooltip[0] ?? "").length <= 300);
});

test("five crashes in three minutes are forgiven, the sixth is not; later ones are", () => {
  const budget = new CrashBudget();
  for (let i = 0; i < CRASHES_MAX; i++) assert.equal(budget.crashed(i * 1000), true);
  assert.equal(budget.crashed(CRASHES_MAX * 1000), false);
  assert.equal(budget.crashed(WINDOW_MS + 60_000), true);
  budget.reset();
  assert.equal(budget.crashed(WINDOW_MS + 61_000), true);
});

const places = (programs: string[], more: Partial<Places> = {}): Places => ({
  setting: "", path: "/usr/bin:rel:/opt/bin", extension: "/ext", windows: false,
  isExecutable: (file) => programs.includes(file), ...more,
});

test("the program: the setting, then PATH, then the bundled one", () => {
  const all = ["/my/inlined", "/opt/bin/inlined", "/ext/bin/inlined"];
  assert.deepEqual(locate(places(all, { setting: "/my/inlined" })), { program: "/my/inlined", from: "setting" });
  assert.deepEqual(locate(places(all)), { program: "/opt/bin/inlined", from: "path" });
  assert.deepEqual(locate(places(all.slice(2))), { program: "/ext/bin/inlined", from: "bundled" });
});

test("a wrong setting is an error, never another program; nothing found says what to do", () => {
  const wrong = locate(places(["/opt/bin/inlined"], { setting: "/gone" }));
  assert.ok("error" in wrong && wrong.error.includes("/gone"));
  const none = locate(places([]));
  assert.ok("error" in none && none.error.includes("bootstrap"));
});

test("a relative folder of PATH is not looked at: it would be the workspace's", () => {
  assert.ok("error" in locate(places(["rel/inlined", "/rel/inlined"])));
});

test("versions may differ in their last number only", () => {
  assert.equal(versionTrouble("0.1.0", "0.1.7", "path"), "");
  assert.match(versionTrouble("0.1.0", "0.2.0", "path"), /0\.2\.0.*Update/);
  assert.match(versionTrouble("0.1.0", undefined, "bundled"), /unknown.*again/);
});

test("pauses", () => {
  const pauses = new Pauses();
  const c = { uri: "file:///a.c", language: "c" };
  const go = { uri: "file:///a.go", language: "go" };
  pauses.pauseFile(c);
  assert.notEqual(pauses.why(c), "");
  assert.equal(pauses.why(go), "");
  pauses.pauseLanguage(go);
  assert.match(pauses.why({ ...go, uri: "file:///b.go" }), /go/);
  pauses.resume(c);
  assert.equal(pauses.why(c), "");
  pauses.pauseEverything();
  assert.notEqual(pauses.why(undefined), "");
  pauses.resume(undefined);
  assert.match(pauses.why(go), /go/);
});

const model = (name: string, memory: number, present: boolean): Model => ({
  name, tier: "small", parameters: "1B", quantisation: "Q4", licence: "Apache-2.0", fim: "psm", note: "",
  bytes: memory, memory_bytes: memory, present,
});

test("models: what fits comes first, the largest of it on top", () => {
  const sorted = choices([model("s", 1e9, true), model("l", 4e9, false), model("xl", 9e9, false),
    model("xxl", 20e9, false)], 16e9);
  assert.deepEqual(sorted.map((c) => c.model.name), ["l", "s", "xl", "xxl"]);
  assert.match(sorted[2]?.detail ?? "", /Too large/);
  assert.match(sorted[0]?.description ?? "", /4\.0 GB/);
});

test("models: what suits a machine grows with its memory, its cores and its GPU", () => {
  const all = [model("tiny", 4e8, true), model("half", 7e8, false), model("one", 2e9, false),
    model("seven", 5.4e9, false),
    { ...model("chat", 1e9, true), fim: "none" }, { ...model("unknown", 0, false) }];
  const suits = (memoryGb: number, cores: number, gpuGb = 0): string | undefined =>
    recommend(all, { memoryBytes: memoryGb * 1e9, cores, gpuBytes: gpuGb * 1e9 })?.name;
  assert.equal(suits(2, 2), undefined);
  assert.equal(suits(4, 8), "tiny");
  assert.equal(suits(16, 2), "tiny");
  assert.equal(suits(16, 4), "half");
  assert.equal(suits(16, 8), "one");
  assert.equal(suits(16, 8, 24), "seven");
});

test("models: a size that nobody knows is not said to fit", () => {
  const [known, unknown] = choices([{ ...model("u", 0, false), bytes: 0 }, model("k", 60e9, false)], 16e9);
  assert.deepEqual([known?.model.name, unknown?.model.name, unknown?.fits], ["k", "u", false]);
  assert.match(`${unknown?.description ?? ""} ${unknown?.detail ?? ""}`, /size is known when.*memory not known/);
});

const REPORT = readReport({
  version: "0.1.0", device: { name: "cpu", memory: 0 },
  tiers: [
    { tier: "small", roles: ["completion"], model: "a", why: "w" },
    { tier: "medium", roles: ["actions", "explain"], model: "b", why: "w" },
    { tier: "large", roles: [], model: "c", why: "w" },
  ],
  models: [
    { name: "a", state: "ready", backend: "cpu", quantisation: "Q8_0", speed: 41.6,
      memory: { weights: 3, context: 2, work: 1 } },
    { name: "b", state: "loading", percent: 40 },
  ],
});

test("the status: tier, model, backend and tokens a second of each tier that works", () => {
  assert.deepEqual(reportLines(REPORT), [
    "small (completion): a: cpu (Q8_0), 42 tokens/s", "medium (actions, explain): b: loading, 40 %"]);
  assert.equal(tierOf(REPORT, "explain")?.tier, "medium");
  assert.equal(REPORT.models[0]?.bytes, 6);
  const shown = describe(inputs({ report: REPORT, status: { ...READY, message: "the cursor is in a comment" } }));
  assert.deepEqual(shown.tooltip, ["the cursor is in a comment", ...reportLines(REPORT)]);
});

test("the status: an answer of another shape is no report, and no error", () => {
  for (const odd of [null, 1, [], { tiers: [1], models: { a: 1 } }, { tiers: [{ roles: [3] }], models: ["x"] }])
    assert.ok(Array.isArray(reportLines(readReport(odd))));
});

test("models: what can be done with each", () => {
  const labels = (m: Model): string[] => deeds(m, REPORT).map((d) => `${d.do}${"tier" in d ? ` ${d.tier}` : ""}`);
  assert.deepEqual(labels(model("x", 1, false)), ["pull"]);
  assert.deepEqual(labels(model("a", 1, true)), ["unload small", "role medium", "remove"]);
  assert.deepEqual(labels(model("b", 1, true)), ["role small", "load medium", "remove"]);
  assert.deepEqual(labels(model("new", 1, true)), ["role small", "role medium", "remove"]);
  assert.equal(usedFor(model("b", 1, true), REPORT), "code actions, explanations");
  assert.deepEqual(deeds(model("a", 1, true), undefined).map((d) => d.do), ["remove"]);
});

test("questions: what is decided, and below it all of what it is about", () => {
  assert.deepEqual(question("This project wants to start the MCP server memory: node /srv/index.js --x: y"),
    { message: "This project wants to start the MCP server memory.", detail: "node /srv/index.js --x: y" });
  assert.deepEqual(question('May the model call read of files with {"path":"a with {b}?"}?'),
    { message: "May the model call read of files?", detail: '{\n  "path": "a with {b}?"\n}' });
  assert.deepEqual(question('May the model call read of files with {"path":"cut\u2026?'),
    { message: "May the model call read of files?", detail: '{"path":"cut\u2026' });
  assert.deepEqual(question("The MCP server s asks you to open https://a.example/x"),
    { message: "The MCP server s asks you to open a page.", detail: "https://a.example/x" });
  assert.deepEqual(question("It would not parse. Apply it?"), { message: "It would not parse. Apply it?", detail: "" });
  assert.deepEqual(question("one\ntwo\nthree"), { message: "one", detail: "two\nthree" });
});

interface Manifest {
  engines: { vscode: string };
  contributes: {
    commands: { command: string }[]; keybindings?: unknown; menus: Record<string, { command?: string }[]>;
  };
}
const manifest = JSON.parse(fs.readFileSync("package.json", "utf8")) as Manifest;

test("the manifest has a command for each action, and its menus have only commands that there are", () => {
  const commands = manifest.contributes.commands.map((c) => c.command);
  for (const a of [...MODEL_ACTIONS, ...TREE_ACTIONS]) assert.ok(commands.includes(a.command), a.command);
  for (const item of Object.values(manifest.contributes.menus).flat())
    if (item.command !== undefined) assert.ok(commands.includes(item.command), item.command);
  assert.equal(new Set(commands).size, commands.length);
});

test("each word of the daemon's table of actions has its command", () => {
  const table = fs.readFileSync("../../lsp/action_table.c", "utf8");
  const rows = [...table.matchAll(/^ {4}\{"(\w+)", ".*/gm)];
  // What the tree extracts is one command, whoever names it.
  const words = rows.filter((m) => !m[0].includes("ACTION_NAME")).map((m) => m[1]);
  assert.ok(words.length > 10);
  for (const word of words) assert.ok(MODEL_ACTIONS.some((a) => a.action === word), word);
});

test("no key is bound: VS Code's own accept, accept a word and dismiss", () => {
  assert.equal(manifest.contributes.keybindings, undefined);
});

test("models: outside data of other kinds does no harm", () => {
  const read = readModels('{"default":1,"models":[{"name":"a","bytes":"x"},{"nam":"b"}]}');
  assert.deepEqual(read.models.map((m) => [m.name, m.bytes]), [["a", 0]]);
  assert.throws(() => readModels("{}"), /no models/);
  assert.throws(() => readModels("what"));
});

test("progress of a download", () => {
  assert.deepEqual(readProgress("inlined: fetching m  36 %  33 of 93 MB"),
    { percent: 36, message: "fetching m  36 %  33 of 93 MB" });
  assert.equal(readProgress("inlined: m is fetched, SHA-256 right"), undefined);
});

test("the extension's own settings are not the daemon's", () => {
  assert.deepEqual(daemonSettings({ enable: true, server: { path: "" }, trace: { server: "off" } }), { enable: true });
  assert.equal(daemonSettings(null), null);
  assert.deepEqual(daemonSettings([1]), [1]);
});

test("a program's output, its last sentence and its cancellation", async () => {
  const lines: string[] = [];
  const ended = await runProgram("/bin/sh", ["-c", "echo out; echo a >&2; echo b >&2; exit 3"], (l) => lines.push(l));
  assert.deepEqual([ended.code, ended.stdout, lines, lastLine(ended.stderr)], [3, "out\n", ["a", "b"], "b"]);
  const abort = new AbortController();
  const long = runProgram("/bin/sleep", ["60"], undefined, abort.signal);
  abort.abort();
  await assert.rejects(long);
  await assert.rejects(runProgram("/no/such/program", []));
});

test("of other tools' diagnostics the nearest errors and warnings are told", () => {
  const at = (line: number, severity: number, source?: string) => ({ severity, source, range: { start: { line } } });
  const all = [at(9, 1), at(2, 0, "tsc"), at(4, 1, "inlined review"), at(4, 2), at(4, 3), at(6, 1), at(5, 0)];
  assert.deepEqual(nearest(all, 4).map((d) => d.range.start.line), [5, 2, 6, 9]);
  assert.equal(nearest(Array.from({ length: 99 }, (_, i) => at(i, 0)), 50).length, DIAGNOSTICS_MOST);
});

test("MCP servers are shown with their state and with what is quarantined; others than disabled can restart", () => {
  const answer = {
    servers: [
      { name: "memory", state: "ready", why: "", quarantined: [
        { name: "read_graph", changes: "- description: Reads.\n+ description: Reads and sends.\n" }, 7] },
      { name: "old", state: "failed", why: "no answer to initialize within 30 s", quarantined: [] },
      { name: "off", state: "disabled", why: "" },
      { state: "ready" }, null, 3,
    ],
    tools: [{ name: "memory__search", description: "Searches." }],
  };
  const shown = describeTools(answer);
  assert.ok(shown.startsWith("memory: ready\n    read_graph cannot be called: its definition has changed"), shown);
  assert.ok(shown.includes("\n    Compare, then: inlined mcp approve memory\n      - description: Reads.\n" +
    "      + description: Reads and sends.\n"), shown);
  assert.ok(shown.includes("\nold: failed, no answer to initialize within 30 s\noff: disabled\n"), shown);
  assert.ok(shown.endsWith("\n\nmemory__search\n    Searches.\n"), shown);
  assert.match(describeTools({}), /No MCP server/);
  assert.deepEqual(serverChoices(answer), [
    { label: "memory", description: "ready", detail: "" },
    { label: "old", description: "failed", detail: "no answer to initialize within 30 s" },
  ]);
  assert.deepEqual(serverChoices("nonsense"), []);
  const manifest = fs.readFileSync("package.json", "utf8");
  assert.ok(manifest.includes('"inlined.restartServer"'));
  assert.ok(fs.readFileSync("src/looking.ts", "utf8").includes('"inlined.restartServer": '));
});
