// SPDX-License-Identifier: Apache-2.0
// The daemon's life: found, started, watched, restarted, and asked.  vscode-languageclient does the protocol, inline
// completion included; what is here is which program, when it is started again, and what is held back.
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import {
  CloseAction, ErrorAction, LanguageClient, LSPErrorCodes, ResponseError, State, type CloseHandlerResult,
  type CodeAction, type Command, type Diagnostic, type ErrorHandler, type ErrorHandlerResult, type ProgressType,
  type Range,
} from "vscode-languageclient/node";
import { buildClient, readOpenedPages, type ClientHooks } from "./client";
import { CrashBudget, CRASHES_MAX } from "./crashes";
import { locate, versionTrouble, type Found } from "./locate";
import { OtherTools } from "./other_tools";
import { sentence } from "./messages";
import type { Pauses } from "./pause";
import { readReport, type Report } from "./report";
import type { DaemonStatus, Life } from "./status";
import { TraceChannel } from "./trace";
import { RunningWork } from "./running_work";

/** A person, or the daemon, gave the work up: nothing is to be said about it. */
export class Cancelled extends Error {}

const LOOK_MS = 1000; // between two looks at tokens per second and the like

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

export class Daemon implements vscode.Disposable {
  life: Life = "stopped";
  trouble = "";
  status: DaemonStatus | undefined;
  report: Report | undefined;
  readonly onChange: vscode.Event<void>;
  readonly working = new RunningWork();
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly crashes = new CrashBudget();
  private readonly others = new OtherTools();
  private readonly pages = readOpenedPages(() => this.client);
  private client: LanguageClient | undefined;
  private stopping = false;
  private looking: NodeJS.Timeout | undefined;
  private turn: Promise<void> = Promise.resolve();
  readonly trace: TraceChannel;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly pauses: Pauses,
    readonly output: vscode.LogOutputChannel,
  ) {
    this.onChange = this.changed.event;
    this.trace = new TraceChannel(output);
  }

  dispose(): void {
    clearTimeout(this.looking);
    this.others.dispose();
    this.pages.dispose();
    this.trace.dispose();
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

  /** One start or restart after the other: two settings that change are two events, and would leave two daemons. */
  private inTurn(act: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(act).catch((error: unknown) => { this.output.warn(sentence(error)); });
    return this.turn;
  }

  start(): Promise<void> {
    return this.inTurn(() => this.launch());
  }

  private async launch(): Promise<void> {
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
    const client = buildClient(found.program, this, this.hooks());
    this.client = client;
    this.listen(client);
    try {
      await client.start();
    } catch (error) {
      if (this.client !== client) return;
      this.trouble = `${path.basename(found.program)} does not start: ${sentence(error)}`;
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
    this.others.client = undefined;
    try {
      if (client?.needsStop()) await client.stop();
      await client?.dispose();
    } catch (error) { // it did not answer in time and was killed; the next one shall start all the same
      this.output.warn(sentence(error));
    }
  }

  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.stop();
      this.crashes.reset();
      await this.launch();
    });
  }

  /** Throws Cancelled, or an Error with one sentence. */
  async request(method: string, params: object, token?: vscode.CancellationToken): Promise<unknown> {
    const client = this.running();
    try {
      // An undefined token would be taken for a second parameter.
      if (token) return await client.sendRequest<unknown>(method, params, token);
      return await client.sendRequest<unknown>(method, params);
    } catch (error) {
      if (error instanceof ResponseError && error.code === LSPErrorCodes.RequestCancelled) throw new Cancelled();
      if (token?.isCancellationRequested) throw new Cancelled();
      throw new Error(sentence(error), { cause: error });
    }
  }

  onProgress<T>(type: ProgressType<T>, token: string, act: (value: T) => void): vscode.Disposable {
    return this.running().onProgress(type, token, act);
  }

  /** The daemon's document and range for an editor's selection. */
  place(editor: vscode.TextEditor): { uri: string; version: number; range: Range } {
    const { document, selection } = editor;
    const convert = this.running().code2ProtocolConverter;
    return { uri: convert.asUri(document.uri), version: document.version, range: convert.asRange(selection) };
  }

  asDiagnostics(all: vscode.Diagnostic[]): Diagnostic[] {
    const client = this.running();
    return all.map((d) => client.code2ProtocolConverter.asDiagnostic(d));
  }

  async asCodeActions(answer: unknown): Promise<vscode.CodeAction[]> {
    const converted = await this.running().protocol2CodeConverter.asCodeActionResult(
      (Array.isArray(answer) ? answer : []) as (Command | CodeAction)[]);
    return converted.filter((a): a is vscode.CodeAction => a instanceof vscode.CodeAction);
  }

  /** Asks the daemon how it is; undefined when it does not answer. */
  async look(): Promise<Report | undefined> {
    try {
      this.report = readReport(await this.request("inlined/daemon", {}));
    } catch {
      this.report = undefined;
    }
    this.changed.fire();
    return this.report;
  }

  private running(): LanguageClient {
    if (this.client?.state === State.Running) return this.client;
    throw new Error(this.trouble || "The daemon is not running yet.");
  }

  private lookSoon(): void {
    this.looking ??= setTimeout(() => {
      this.looking = undefined;
      if (this.client?.state === State.Running) void this.look();
    }, LOOK_MS);
  }

  private hooks(): ClientHooks {
    return {
      paused: (place) => this.pauses.why(place) !== "",
      asked: () => { this.lookSoon(); },
      errors: this.errorHandler(),
      working: this.working,
    };
  }

  private listen(client: LanguageClient): void {
    client.onNotification("inlined/status", (status: DaemonStatus) => {
      if (this.client !== client) return;
      this.status = status;
      this.lookSoon();
      this.changed.fire();
    });
    client.onDidChangeState((event) => {
      if (this.client !== client) return;
      if (event.newState === State.Running) {
        this.set("running");
        this.others.client = client;
        this.lookSoon();
      }
      if (event.newState === State.Starting) this.set("starting");
    });
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
        this.report = undefined;
        this.working.clear();
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

  cancelWork(): boolean {
    const client = this.client;
    return client !== undefined && this.working.cancel(client);
  }
}
