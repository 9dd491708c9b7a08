// SPDX-License-Identifier: Apache-2.0
// The language client and where it departs from its usual ways: settings of our own are not sent, paused places are
// not asked about, questions are modal, pages open beside the code.
import * as vscode from "vscode";
import {
  LanguageClient, ShowMessageRequest, TextDocumentContentRequest, vsdiag, type ErrorHandler,
  type LanguageClientOptions, type MessageActionItem, type Middleware, type ShowMessageRequestParams,
  type StaticFeature,
} from "vscode-languageclient/node";
import { showPage } from "./pages";
import type { Place } from "./pause";
import { question } from "./questions";
import type { RunningWork } from "./running_work";
import { daemonSettings } from "./settings";

const Severity = vscode.DiagnosticSeverity;

export interface ClientHooks {
  paused: (place: Place) => boolean;
  /** A suggestion was asked for, and answered. */
  asked: () => void;
  errors: ErrorHandler;
  working: RunningWork;
}

export function placeOf(document: vscode.TextDocument): Place {
  return { uri: document.uri.toString(), language: document.languageId };
}

/** What of our own protocol this client takes: the question for an instruction, and `inlined/status`. */
const ownCapabilities: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    const experimental = (capabilities.experimental ?? {}) as object;
    capabilities.experimental = { ...experimental, inlined: { instructions: true, status: true } };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

async function ask(params: ShowMessageRequestParams): Promise<MessageActionItem | null> {
  const { message, detail } = question(params.message);
  const titles = (params.actions ?? []).map((a) => a.title);
  const chosen = await vscode.window.showInformationMessage(message, { modal: true, detail }, ...titles);
  return chosen === undefined ? null : { title: chosen };
}

/** VS Code lets changes of a page go by while it opens it, so its text is asked for once more when it is open. */
export function readOpenedPages(client: () => LanguageClient | undefined): vscode.Disposable {
  return vscode.workspace.onDidOpenTextDocument(({ uri }) => {
    for (const provider of client()?.getFeature(TextDocumentContentRequest.method)?.getProviders() ?? [])
      if (provider.scheme === uri.scheme) provider.onDidChangeEmitter.fire(uri);
  });
}

function middleware(hooks: ClientHooks): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      if (hooks.paused(placeOf(document))) return [];
      const items = await next(document, position, context, token);
      hooks.asked();
      return items;
    },
    handleWorkDoneProgress: (token, params, next) => {
      if (params.kind === "begin" && params.cancellable) hooks.working.begins(token, params.title);
      if (params.kind === "end") hooks.working.ends(token);
      // A load stays in the status bar, though it can be cancelled (from our menu): VS Code would show a box for it.
      const load = String(token).startsWith("inlined-load-");
      next(token, load && params.kind === "begin" ? { ...params, cancellable: false } : params);
    },
    // VS Code's Problems panel leaves hints out, which is what improvements are to the daemon.
    provideDiagnostics: async (document, previous, token, next) => {
      const report = await next(document, previous, token);
      for (const finding of report?.kind === vsdiag.DocumentDiagnosticReportKind.full ? report.items : [])
        if (finding.severity === Severity.Hint) finding.severity = Severity.Information;
      return report;
    },
    window: {
      showDocument: async (params, token, next) => {
        const uri = vscode.Uri.parse(params.uri);
        if (uri.scheme !== "inlined") return next(params, token);
        await showPage(uri);
        return { success: true };
      },
    },
    workspace: {
      configuration: async (params, token, next) => {
        const answer = await next(params, token);
        return Array.isArray(answer) ? answer.map(daemonSettings) : answer;
      },
    },
  };
}

export interface Channels {
  output: vscode.LogOutputChannel;
  trace: vscode.LogOutputChannel;
}

export function buildClient(program: string, { output, trace }: Channels, hooks: ClientHooks): LanguageClient {
  const args = vscode.workspace.getConfiguration("inlined").get<string[]>("server.arguments", []);
  const options: LanguageClientOptions = {
    documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" },
      { scheme: "vscode-remote" }, { scheme: "vscode-vfs" }],
    outputChannel: output,
    traceOutputChannel: trace,
    errorHandler: hooks.errors,
    initializationOptions: daemonSettings(vscode.workspace.getConfiguration().get("inlined")),
    middleware: middleware(hooks),
  };
  const server = { command: program, args: ["--stdio", ...args] };
  const client = new LanguageClient("inlined", "inlined", server, options);
  client.registerFeature(ownCapabilities);
  client.onRequest(ShowMessageRequest.type, ask); // instead of the client's own boxes, which go by unseen
  return client;
}
