// SPDX-License-Identifier: Apache-2.0
// The commands of the palette and of the status bar's menu.
import * as vscode from "vscode";
import { placeOf } from "./client";
import { writeCommitMessage } from "./commit";
import type { Daemon } from "./daemon";
import { lookingCommands } from "./looking";
import { complain } from "./messages";
import { modelCommands } from "./model_commands";
import type { Views } from "./pages";
import type { Pauses } from "./pause";
import { workCommands } from "./work";

interface Item extends vscode.QuickPickItem {
  command: string;
}

function here(): vscode.TextDocument | undefined {
  return vscode.window.activeTextEditor?.document;
}

async function menu(daemon: Daemon, pauses: Pauses, summary: string): Promise<void> {
  const document = here();
  const place = document && placeOf(document);
  const paused = pauses.why(place) !== "";
  const running = daemon.working.all();
  const items: Item[] = [
    ...(running.length ? [{ label: `$(stop-circle) Cancel: ${running.join(", ")}`, command: "inlined.cancel" }] : []),
    ...(paused ? [{ label: "$(debug-continue) Resume", command: "inlined.resume" }] : []),
    ...(!paused && document
      ? [
          { label: "$(debug-pause) Pause in this file", command: "inlined.pauseFile" },
          { label: `$(debug-pause) Pause for ${document.languageId}`, command: "inlined.pauseLanguage" },
        ]
      : []),
    ...(paused ? [] : [{ label: "$(debug-pause) Pause everywhere", command: "inlined.pause" }]),
    { label: "$(layers) Switch the tier...", command: "inlined.switchTier" },
    { label: "$(symbol-misc) Models...", command: "inlined.models" },
    { label: "$(eye) What the model sees here", command: "inlined.showContext" },
    { label: "$(tools) MCP servers and their tools", command: "inlined.showTools" },
    { label: "$(refresh) Restart an MCP server...", command: "inlined.restartServer" },
    { label: "$(pulse) Check this machine", command: "inlined.doctor" },
    { label: "$(output) Show the log", command: "inlined.showLog" },
    { label: "$(debug-restart) Restart the daemon", command: "inlined.restart" },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: "inlined", placeHolder: summary });
  if (chosen) await vscode.commands.executeCommand(chosen.command);
}

export function registerCommands(
  context: vscode.ExtensionContext, daemon: Daemon, pauses: Pauses, output: vscode.LogOutputChannel, views: Views,
  summary: () => string, refresh: () => void,
): void {
  const withPlace = (pause: (document: vscode.TextDocument) => void) => (): void => {
    const document = here();
    if (document) pause(document);
    else complain("No file is open here.");
    refresh();
  };
  const commands: Record<string, (...args: unknown[]) => unknown> = {
    ...workCommands(daemon),
    ...modelCommands(daemon),
    ...lookingCommands(daemon, views),
    "inlined.menu": () => menu(daemon, pauses, summary()),
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
    "inlined.writeCommitMessage": (from) => writeCommitMessage(daemon, from).catch(complain),
    "inlined.restart": () => daemon.restart(),
    "inlined.showLog": () => { output.show(); },
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
}
