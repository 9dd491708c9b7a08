// SPDX-License-Identifier: Apache-2.0
// What can be tested without an editor.
import * as assert from "node:assert/strict";
import test from "node:test";
import { CrashBudget, CRASHES_MAX, WINDOW_MS } from "../src/crashes";
import { DIAGNOSTICS_MOST, nearest } from "../src/diagnostics";
import { locate, versionTrouble, type Places } from "../src/locate";
import { choices, readModels, readProgress, type Model } from "../src/models";
import { Pauses } from "../src/pause";
import { lastLine, runProgram } from "../src/program";
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
