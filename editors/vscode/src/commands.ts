// SPDX-License-Identifier: Apache-2.0
// The commands of the palette and of the status bar's menu.
import * as os from "node:os";
import * as vscode from "vscode";
import { placeOf, type Daemon } from "./daemon";
import { choices, readModels, readProgress, type Choice } from "./models";
import type { Pauses } from "./pause";
import { lastLine, runProgram } from "./program";

interface Item extends vscode.QuickPickItem {
  command: string;
}

function here(): vscode.TextDocument | undefined {
  return vscode.window.activeTextEditor?.document;
}

function complain(what: string): void {
  void vscode.window.showErrorMessage(`inlined: ${what}`);
}

async function menu(pauses: Pauses, summary: string): Promise<void> {
  const document = here();
  const place = document && placeOf(document);
  const paused = pauses.why(place) !== "";
  const items: Item[] = [
    ...(paused ? [{ label: "$(debug-continue) Resume", command: "inlined.resume" }] : []),
    ...(!paused && document
      ? [
          { label: "$(debug-pause) Pause in this file", command: "inlined.pauseFile" },
          { label: `$(debug-pause) Pause for ${document.languageId}`, command: "inlined.pauseLanguage" },
        ]
      : []),
    ...(paused ? [] : [{ label: "$(debug-pause) Pause everywhere", command: "inlined.pause" }]),
    { label: "$(symbol-misc) Choose a model...", command: "inlined.pickModel" },
    { label: "$(pulse) Check this machine", command: "inlined.doctor" },
    { label: "$(output) Show the log", command: "inlined.showLog" },
    { label: "$(debug-restart) Restart the daemon", command: "inlined.restart" },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: "inlined", placeHolder: summary });
  if (chosen) await vscode.commands.executeCommand(chosen.command);
}

async function pull(program: string, name: string): Promise<boolean> {
  const abort = new AbortController();
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `inlined: model ${name}`,
    cancellable: true,
  };
  return vscode.window.withProgress(options, async (progress, token) => {
    token.onCancellationRequested(() => {
      abort.abort();
    });
    let shown = 0;
    const onLine = (line: string): void => {
      const now = readProgress(line);
      if (!now) return;
      progress.report({ message: now.message, increment: Math.max(0, now.percent - shown) });
      shown = now.percent;
    };
    try {
      const ended = await runProgram(program, ["models", "pull", name], onLine, abort.signal);
      if (ended.code === 0) return true;
      complain(lastLine(ended.stderr));
    } catch (error) {
      if (!abort.signal.aborted) complain(String(error));
    }
    return false;
  });
}

async function pickModel(daemon: Daemon): Promise<void> {
  const found = daemon.find();
  if (!found) {
    complain(daemon.trouble);
    return;
  }
  const listed = await runProgram(found.program, ["models", "list", "--json"]);
  if (listed.code !== 0) {
    complain(lastLine(listed.stderr));
    return;
  }
  const items: Choice[] = choices(readModels(listed.stdout).models, os.totalmem());
  const chosen = await vscode.window.showQuickPick(items, {
    title: "inlined: which model completes?",
    placeHolder: `${Math.round(os.totalmem() / 1e9)} GB of memory on this machine; what fits comes first`,
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen) return;
  if (!chosen.model.present && !(await pull(found.program, chosen.model.name))) return;
  const configuration = vscode.workspace.getConfiguration("inlined");
  await configuration.update("model", chosen.model.name, vscode.ConfigurationTarget.Global);
}

async function doctor(daemon: Daemon): Promise<void> {
  const found = daemon.find();
  if (!found) {
    complain(daemon.trouble);
    return;
  }
  const location = vscode.ProgressLocation.Window;
  const ended = await vscode.window.withProgress({ location, title: "inlined: checking this machine" }, () =>
    runProgram(found.program, ["doctor"]));
  const content = `${found.program} doctor\n\n${ended.stdout}${ended.stderr}`;
  const document = await vscode.workspace.openTextDocument({ language: "plaintext", content });
  await vscode.window.showTextDocument(document, { preview: true });
}

export function registerCommands(
  context: vscode.ExtensionContext, daemon: Daemon, pauses: Pauses, output: vscode.LogOutputChannel,
  summary: () => string, refresh: () => void,
): void {
  const withPlace = (pause: (document: vscode.TextDocument) => void) => (): void => {
    const document = here();
    if (document) pause(document);
    else complain("No file is open here.");
    refresh();
  };
  const commands: Record<string, () => unknown> = {
    "inlined.menu": () => menu(pauses, summary()),
    "inlined.trigger": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
    "inlined.pauseFile": withPlace((d) => { pauses.pauseFile(placeOf(d)); }),
    "inlined.pauseLanguage": withPlace((d) => { pauses.pauseLanguage(placeOf(d)); }),
    "inlined.pause": () => {
      pauses.pauseEverything();
      void vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
      refresh();
    },
    "inlined.resume": () => {
      const document = here();
      pauses.resume(document && placeOf(document));
      refresh();
    },
    "inlined.pickModel": () => pickModel(daemon),
    "inlined.doctor": () => doctor(daemon),
    "inlined.restart": () => daemon.restart(),
    "inlined.showLog": () => { output.show(); },
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
}
