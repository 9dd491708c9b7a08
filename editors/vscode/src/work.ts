// SPDX-License-Identifier: Apache-2.0
// What the daemon works at on demand: actions, reviews, explanations, commit messages.  Each shows its progress and
// can be cancelled; each ends with its result or one sentence.
import * as vscode from "vscode";
import { CodeActionTriggerKind, WorkDoneProgress } from "vscode-languageclient/node";
import { MODEL_ACTIONS, TREE_ACTIONS, type ModelAction, type TreeAction } from "./action_table";
import { isOwn } from "./diagnostics";
import { Cancelled, type Daemon } from "./daemon";
import { complain, tell } from "./messages";

let serial = 0;

/** A command of the daemon to its end; undefined: it was cancelled, or failed and that was said. */
export async function run(daemon: Daemon, title: string, command: string, argument: object): Promise<unknown> {
  const workDoneToken = `inlined-${++serial}`;
  const options = {
    location: vscode.ProgressLocation.Notification, title: `inlined: ${title}`, cancellable: true,
  };
  return vscode.window.withProgress(options, async (shown, token) => {
    const listening = daemon.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind !== "end" && value.message) shown.report({ message: value.message });
    });
    try {
      return await daemon.request("workspace/executeCommand", { command, arguments: [argument], workDoneToken }, token);
    } catch (error) {
      if (!(error instanceof Cancelled)) complain(error);
      return undefined;
    } finally {
      listening.dispose();
    }
  });
}

function editorHere(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) complain("No file is open here.");
  return editor;
}

/** The problems that other tools report where the selection is. */
function problems(editor: vscode.TextEditor): vscode.Diagnostic[] {
  return vscode.languages.getDiagnostics(editor.document.uri)
    .filter((d) => !isOwn(d) && d.range.intersection(editor.selection) !== undefined);
}

function sayReview(result: unknown): void {
  const { findings, pieces } = result as { findings?: number; pieces?: number };
  const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  tell(`${many(findings ?? 0, "finding")} in ${many(pieces ?? 0, "piece")} of code; they are in the Problems panel.`);
}

async function runModel(daemon: Daemon, what: ModelAction): Promise<void> {
  const editor = editorHere();
  if (!editor) return;
  const found = what.action === "fix" ? problems(editor) : [];
  if (what.action === "fix" && !found.length) {
    complain("No problem is reported where the cursor is.");
    return;
  }
  const { uri, version, range } = daemon.place(editor);
  const instruction = what.asks
    ? await vscode.window.showInputBox({ prompt: what.asks, title: `inlined: ${what.title}`, ignoreFocusOut: true })
    : "";
  if (what.asks && !instruction?.trim()) return;
  const result = await run(daemon, what.title, "inlined.action", {
    action: what.action, uri, version, range,
    ...(instruction && { instruction }),
    ...(found.length && { diagnostics: daemon.asDiagnostics(found) }),
  });
  if (result && what.action.startsWith("review")) sayReview(result);
}

/** Code actions that come with their edit, of this kind and title. */
async function treeActions(daemon: Daemon, editor: vscode.TextEditor, what: TreeAction): Promise<vscode.CodeAction[]> {
  const { uri, range } = daemon.place(editor);
  const listed = await daemon.request("textDocument/codeAction", {
    textDocument: { uri }, range,
    context: {
      diagnostics: daemon.asDiagnostics(problems(editor)),
      only: [what.kind],
      triggerKind: CodeActionTriggerKind.Invoked,
    },
  });
  const all = await daemon.asCodeActions(listed);
  return all.filter((a) => a.edit && a.title.startsWith(what.begins));
}

async function runTree(daemon: Daemon, what: TreeAction): Promise<void> {
  const editor = editorHere();
  if (!editor) return;
  const all = await treeActions(daemon, editor, what);
  const items = all.map((action) => ({ label: action.title, action }));
  const chosen = items.length > 1 ? await vscode.window.showQuickPick(items, { title: "inlined" }) : items[0];
  if (chosen?.action.edit) await vscode.workspace.applyEdit(chosen.action.edit, { isRefactoring: true });
  else if (!items.length) complain(what.none);
}

/** "Rewrite with instruction..." of the menu: the daemon leaves the question to us. */
async function askInstruction(daemon: Daemon, argument: unknown): Promise<void> {
  if (typeof argument !== "object" || argument === null) return;
  const prompt = "Change the code so that ...";
  const instruction = await vscode.window.showInputBox({ prompt, title: "inlined: Rewrite", ignoreFocusOut: true });
  if (instruction?.trim()) await run(daemon, "Rewrite", "inlined.action", { ...argument, instruction });
}

export function workCommands(daemon: Daemon): Record<string, (...args: unknown[]) => unknown> {
  const guarded = (start: () => Promise<void>) => (): Promise<void> => start().catch(complain);
  return {
    ...Object.fromEntries(MODEL_ACTIONS.map((a) => [a.command, guarded(() => runModel(daemon, a))])),
    ...Object.fromEntries(TREE_ACTIONS.map((a) => [a.command, guarded(() => runTree(daemon, a))])),
    "inlined.askInstruction": (argument: unknown) => askInstruction(daemon, argument),
    "inlined.cancel": () => { tell(daemon.cancelWork() ? "Cancelled." : "Nothing runs."); },
  };
}
