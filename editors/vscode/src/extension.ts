// SPDX-License-Identifier: Apache-2.0
// inlined for Visual Studio Code.  Wiring only.  What does not import vscode is pure and tested without an editor
// (test/pure.test.ts); the rest is glue and tested in a real one (tests/editors/vscode).
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { placeOf } from "./client";
import { Daemon } from "./daemon";
import { offerFirstModel } from "./model_commands";
import { sentence } from "./messages";
import { Views } from "./pages";
import { Pauses } from "./pause";
import { describe, type Shown } from "./status";

let daemon: Daemon | undefined;

const BACKGROUND: Record<Shown["severity"], string | undefined> = {
  normal: undefined,
  warning: "statusBarItem.warningBackground",
  error: "statusBarItem.errorBackground",
};

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel("inlined", { log: true });
  const pauses = new Pauses();
  const views = new Views();
  const started = new Daemon(context, pauses, output);
  daemon = started;
  const bar = vscode.window.createStatusBarItem("inlined.status", vscode.StatusBarAlignment.Right, 100);
  bar.name = "inlined";
  bar.command = "inlined.menu";

  const shown = (): Shown => {
    const document = vscode.window.activeTextEditor?.document;
    const paused = pauses.why(document && placeOf(document));
    const { life, trouble, status, report } = started;
    return describe({ life, trouble, status, report, paused });
  };
  const refresh = (): void => {
    const now = shown();
    const background = BACKGROUND[now.severity];
    bar.text = now.text;
    bar.tooltip = now.tooltip.join("\n");
    bar.backgroundColor = background === undefined ? undefined : new vscode.ThemeColor(background);
    bar.accessibilityInformation = { label: `inlined: ${now.tooltip.join(" ")}` };
    bar.show();
  };
  registerCommands(context, started, pauses, output, views, () => shown().tooltip.join(" · "), refresh);
  context.subscriptions.push(output, bar, views, started, started.onChange(refresh),
    vscode.window.onDidChangeActiveTextEditor(refresh),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("inlined.server")) void started.restart();
    }));
  refresh();
  await started.start();
  await offerFirstModel(started, context.globalState).catch((error: unknown) => { output.warn(sentence(error)); });
}

export async function deactivate(): Promise<void> {
  await daemon?.stop();
}
