// SPDX-License-Identifier: Apache-2.0
// inlined for Visual Studio Code.  Wiring only: status.ts, pause.ts, crashes.ts, locate.ts, models.ts and
// settings.ts are pure and tested without an editor; daemon.ts, program.ts and commands.ts are the glue.
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { Daemon, placeOf } from "./daemon";
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
  const started = new Daemon(context, pauses, output);
  daemon = started;
  const bar = vscode.window.createStatusBarItem("inlined.status", vscode.StatusBarAlignment.Right, 100);
  bar.name = "inlined";
  bar.command = "inlined.menu";

  const shown = (): Shown => {
    const document = vscode.window.activeTextEditor?.document;
    const paused = pauses.why(document && placeOf(document));
    return describe({ life: started.life, trouble: started.trouble, status: started.status, paused });
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
  registerCommands(context, started, pauses, output, () => shown().tooltip.join(" · "), refresh);
  context.subscriptions.push(output, bar, started, started.onChange(refresh),
    vscode.window.onDidChangeActiveTextEditor(refresh),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("inlined.server")) void started.restart();
    }));
  refresh();
  await started.start();
}

export async function deactivate(): Promise<void> {
  await daemon?.stop();
}
