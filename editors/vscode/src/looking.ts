// SPDX-License-Identifier: Apache-2.0
// Looking behind the scenes: what the next prompt here is made of, which tools there are, whether the machine is fine.
import * as vscode from "vscode";
import type { Daemon } from "./daemon";
import { complain, tell } from "./messages";
import { field, list, number, text } from "./outside";
import type { Views } from "./pages";
import { runProgram } from "./program";
import { describeTools, serverChoices } from "./servers";

/** `inlined/context/explain` for people. */
export function describePrompt(answer: unknown): string {
  const lines = [
    `file       ${text(field(answer, "path"))}`,
    `suggests   ${text(field(answer, "reason")) || `a ${text(field(answer, "shape"))}`}`,
    `scope      ${text(field(answer, "scope"))}`,
    `secrets    ${number(field(answer, "secrets_masked"))} masked`, "",
  ];
  for (const s of list(field(answer, "sections")))
    lines.push(`${text(field(s, "name")).padEnd(14)} ${number(field(s, "bytes"))} of ` +
      `${number(field(s, "budget_bytes"))} bytes, ${number(field(s, "used"))} of ${number(field(s, "found"))} used`);
  for (const c of list(field(answer, "chunks")))
    lines.push("", `---- ${text(field(c, "path"))}: ${text(field(c, "why"))}`, text(field(c, "text")));
  for (const l of list(field(answer, "lookups")))
    lines.push("", `---- asked for the last action: ${text(field(l, "tool"))} ${text(field(l, "arguments"))}: ` +
      `${text(field(l, "outcome"))}, ${number(field(l, "bytes"))} bytes in ${number(field(l, "ms"))} ms`);
  for (const n of list(field(answer, "neighbours")))
    lines.push("", `---- in its last question: ${number(field(n, "bytes"))} bytes of ${text(field(n, "path"))}, ` +
      text(field(n, "why")));
  lines.push("", "---- before the cursor", text(field(answer, "prefix")));
  lines.push("---- after the cursor", text(field(answer, "suffix")));
  return lines.join("\n");
}

async function showContext(daemon: Daemon, views: Views): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) throw new Error("No file is open here.");
  const { uri, range } = daemon.place(editor);
  const answer = await daemon.request("inlined/context/explain", { textDocument: { uri }, position: range.end });
  await views.show("what the model sees.txt", describePrompt(answer));
}

async function showTools(daemon: Daemon, views: Views): Promise<void> {
  await views.show("MCP tools.txt", describeTools(await daemon.request("inlined/tools", {})));
}

async function restartServer(daemon: Daemon): Promise<void> {
  const choices = serverChoices(await daemon.request("inlined/tools", {}));
  if (!choices.length) throw new Error("No MCP server is configured for this workspace.");
  const placeHolder = "Which MCP server is to be ended and started anew?";
  const chosen = await vscode.window.showQuickPick(choices, { placeHolder });
  if (!chosen) return;
  await daemon.request("inlined/tools/restart", { server: chosen.label });
  tell(`The MCP server ${chosen.label} is being restarted.`);
}

async function doctor(daemon: Daemon, views: Views): Promise<void> {
  const found = daemon.find();
  if (!found) throw new Error(daemon.trouble);
  const location = vscode.ProgressLocation.Window;
  const ended = await vscode.window.withProgress({ location, title: "inlined: checking this machine" }, () =>
    runProgram(found.program, ["doctor"]));
  await views.show("doctor.txt", `${found.program} doctor\n\n${ended.stdout}${ended.stderr}`);
}

export function lookingCommands(daemon: Daemon, views: Views): Record<string, () => unknown> {
  const guarded = (start: (d: Daemon, v: Views) => Promise<void>) => (): Promise<void> =>
    start(daemon, views).catch(complain);
  return {
    "inlined.showContext": guarded(showContext),
    "inlined.showTools": guarded(showTools),
    "inlined.restartServer": guarded(restartServer),
    "inlined.doctor": guarded(doctor),
  };
}
