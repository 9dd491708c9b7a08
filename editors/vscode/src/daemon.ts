// SPDX-License-Identifier: Apache-2.0
// The daemon's life: found, started, watched, restarted.  vscode-languageclient does the protocol, inline
// completion included; what is here is which program, when it is started again, and what is held back.
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import {
  CloseAction, ErrorAction, LanguageClient, State, type CloseHandlerResult, type ErrorHandler,
  type ErrorHandlerResult, type LanguageClientOptions,
} from "vscode-languageclient/node";
import { CrashBudget, CRASHES_MAX } from "./crashes";
import { DIAGNOSTICS_DELAY_MS, nearest } from "./diagnostics";
import { locate, versionTrouble, type Found } from "./locate";
import type { Pauses, Place } from "./pause";
import { daemonSettings } from "./settings";
import type { DaemonStatus, Life } from "./status";

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

export function placeOf(document: vscode.TextDocument): Place {
  return { uri: document.uri.toString(), language: document.languageId };
}

export class Daemon implements vscode.Disposable {
  life: Life = "stopped";
  trouble = "";
  status: DaemonStatus | undefined;
  readonly onChange: vscode.Event<void>;
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly crashes = new CrashBudget();
  private client: LanguageClient | undefined;
  private stopping = false;
  private readonly listening: vscode.Disposable;
  private readonly untold = new Set<string>(); // URIs whose diagnostics have changed
  private telling: NodeJS.Timeout | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly pauses: Pauses,
    private readonly output: vscode.LogOutputChannel,
  ) {
    this.onChange = this.changed.event;
    this.listening = vscode.Disposable.from(
      vscode.languages.onDidChangeDiagnostics((event) => { this.noteDiagnostics(event.uris); }),
      vscode.workspace.onDidOpenTextDocument((document) => { this.noteDiagnostics([document.uri]); }));
  }

  dispose(): void {
    clearTimeout(this.telling);
    this.listening.dispose();
    this.changed.dispose();
  }

  /** The program, or undefined when there is none (then `trouble` says why). */
  find(): Found | undefined {
    const found = locate({
      setting: vscode.workspace.getConfiguration("inlined").get("server.path", ""),
      path: process.env.PATH ?? "",
      extension: this.context.extensionPath,
      windows: process.platform === "win32",
      isExecutable,
    });
    if (!("error" in found)) return found;
    this.trouble = found.error;
    return undefined;
  }

  async start(): Promise<void> {
    const found = this.find();
    if (!found) {
      this.set("stopped");
      this.complain();
      return;
    }
    this.stopping = false;
    this.trouble = "";
    this.status = undefined;
    this.set("starting");
    this.output.info(`starting ${found.program} (${found.from})`);
    const client = this.build(found);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      if (this.client !== client) return;
      const why = error instanceof Error ? error.message : String(error);
      this.trouble = `${path.basename(found.program)} does not start: ${why}`;
      this.set("stopped");
      this.complain();
      return;
    }
    const own = (this.context.extension.packageJSON as { version: string }).version;
    const trouble = versionTrouble(own, client.initializeResult?.serverInfo?.version, found.from);
    if (trouble) void vscode.window.showWarningMessage(`inlined: ${trouble}`);
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.stopping = true;
    if (client?.needsStop()) await client.stop();
    await client?.dispose();
  }

  async restart(): Promise<void> {
    await this.stop();
    this.crashes.reset();
    await this.start();
  }

  private noteDiagnostics(uris: readonly vscode.Uri[]): void {
    for (const uri of uris) this.untold.add(uri.toString());
    this.telling ??= setTimeout(() => { this.tellDiagnostics(); }, DIAGNOSTICS_DELAY_MS);
  }

  /** A language server does not hear the others, so it is told of what they say. */
  private tellDiagnostics(): void {
    this.telling = undefined;
    const client = this.client;
    if (client?.state !== State.Running) return; // what is open then is told when it runs
    const offered: unknown = client.initializeResult?.capabilities.experimental;
    const wanted = typeof offered === "object" && offered !== null && "inlined/diagnostics" in offered;
    for (const document of wanted ? vscode.workspace.textDocuments : []) {
      const uri = document.uri.toString();
      if (!this.untold.has(uri)) continue;
      const editor = vscode.window.visibleTextEditors.find((e) => e.document === document);
      const near = nearest(vscode.languages.getDiagnostics(document.uri), editor?.selection.active.line ?? 0);
      void client.sendNotification("inlined/diagnostics", {
        uri: client.code2ProtocolConverter.asUri(document.uri),
        diagnostics: near.map((d) => client.code2ProtocolConverter.asDiagnostic(d)),
      });
    }
    this.untold.clear();
  }

  private build(found: Found): LanguageClient {
    const args = vscode.workspace.getConfiguration("inlined").get<string[]>("server.arguments", []);
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" },
        { scheme: "vscode-remote" }, { scheme: "vscode-vfs" }],
      outputChannel: this.output,
      errorHandler: this.errorHandler(),
      initializationOptions: daemonSettings(vscode.workspace.getConfiguration().get("inlined")),
      middleware: {
        provideInlineCompletionItems: (document, position, context, token, next) =>
          this.pauses.why(placeOf(document)) ? [] : next(document, position, context, token),
        workspace: {
          configuration: async (params, token, next) => {
            const answer = await next(params, token);
            return Array.isArray(answer) ? answer.map(daemonSettings) : answer;
          },
        },
      },
    };
    const server = { command: found.program, args: ["--stdio", ...args] };
    const client = new LanguageClient("inlined", "inlined", server, options);
    client.onNotification("inlined/status", (status: DaemonStatus) => {
      if (this.client !== client) return;
      this.status = status;
      this.changed.fire();
    });
    client.onDidChangeState((event) => {
      if (this.client !== client) return;
      if (event.newState === State.Running) {
        this.set("running");
        this.noteDiagnostics(vscode.workspace.textDocuments.map((document) => document.uri));
      }
      if (event.newState === State.Starting) this.set("starting");
    });
    return client;
  }

  private errorHandler(): ErrorHandler {
    return {
      error: (error): ErrorHandlerResult => {
        this.output.error(error.message);
        return { action: ErrorAction.Continue, handled: true };
      },
      closed: (): CloseHandlerResult => {
        if (this.stopping) return { action: CloseAction.DoNotRestart, handled: true };
        this.status = undefined;
        if (this.crashes.crashed(Date.now())) {
          this.output.warn("the daemon ended; it is started again with all documents");
          this.set("starting");
          return { action: CloseAction.Restart, handled: true };
        }
        this.trouble = `The daemon ended ${CRASHES_MAX + 1} times in three minutes and stays off; the log says why.`;
        this.set("stopped");
        this.complain();
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    };
  }

  private complain(): void {
    void vscode.window.showErrorMessage(`inlined: ${this.trouble}`, "Show the Log", "Try Again").then((chosen) => {
      if (chosen === "Show the Log") this.output.show();
      if (chosen === "Try Again") void this.restart();
    });
  }

  private set(life: Life): void {
    this.life = life;
    this.changed.fire();
  }
}
