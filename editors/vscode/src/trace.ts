// SPDX-License-Identifier: Apache-2.0
// The messages between editor and daemon in our output channel, when the setting inlined.trace.server wants them.  The
// language client writes them at the level "trace", which VS Code's channels hide by default: a setting that shows
// nothing.  So the client gets a channel whose level follows the setting, and that passes on what it is given as news.
import * as vscode from "vscode";

const SETTING = "inlined.trace.server";

export class TraceChannel implements vscode.LogOutputChannel {
  readonly name: string;
  readonly onDidChangeLogLevel: vscode.Event<vscode.LogLevel>;
  private readonly changed = new vscode.EventEmitter<vscode.LogLevel>();
  private readonly listening: vscode.Disposable;

  constructor(private readonly output: vscode.LogOutputChannel) {
    this.name = output.name;
    this.onDidChangeLogLevel = this.changed.event;
    this.listening = vscode.Disposable.from(
      output.onDidChangeLogLevel(() => { this.changed.fire(this.logLevel); }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(SETTING)) this.changed.fire(this.logLevel);
      }),
    );
  }

  get logLevel(): vscode.LogLevel {
    const off = vscode.workspace.getConfiguration().get<string>(SETTING, "off") === "off";
    return off ? this.output.logLevel : vscode.LogLevel.Trace;
  }

  trace(message: string, ...more: unknown[]): void { this.output.info(message, ...more); }
  debug(message: string, ...more: unknown[]): void { this.output.debug(message, ...more); }
  info(message: string, ...more: unknown[]): void { this.output.info(message, ...more); }
  warn(message: string, ...more: unknown[]): void { this.output.warn(message, ...more); }
  error(message: string | Error, ...more: unknown[]): void { this.output.error(message, ...more); }
  append(value: string): void { this.output.append(value); }
  appendLine(value: string): void { this.output.appendLine(value); }
  replace(value: string): void { this.output.replace(value); }
  clear(): void { this.output.clear(); }
  show(): void { this.output.show(); }
  hide(): void { this.output.hide(); }

  /** The channel behind it stays: it is somebody else's. */
  dispose(): void {
    this.listening.dispose();
    this.changed.dispose();
  }
}
