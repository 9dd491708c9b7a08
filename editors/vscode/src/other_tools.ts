// SPDX-License-Identifier: Apache-2.0
// A language server does not hear the others, so the daemon is told what they report (inlined/diagnostics).
import * as vscode from "vscode";
import { State, type LanguageClient } from "vscode-languageclient/node";
import { DIAGNOSTICS_DELAY_MS, nearest } from "./diagnostics";

export class OtherTools implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  private readonly untold = new Set<string>(); // URIs whose diagnostics have changed
  private telling: NodeJS.Timeout | undefined;
  private told: LanguageClient | undefined;

  constructor() {
    this.listening = vscode.Disposable.from(
      vscode.languages.onDidChangeDiagnostics((event) => { this.note(event.uris); }),
      vscode.workspace.onDidOpenTextDocument((document) => { this.note([document.uri]); }));
  }

  dispose(): void {
    clearTimeout(this.telling);
    this.listening.dispose();
  }

  /** A daemon that begins to run is told of everything that is open. */
  set client(client: LanguageClient | undefined) {
    this.told = client;
    if (client) this.note(vscode.workspace.textDocuments.map((document) => document.uri));
  }

  private note(uris: readonly vscode.Uri[]): void {
    for (const uri of uris) this.untold.add(uri.toString());
    this.telling ??= setTimeout(() => { this.tell(); }, DIAGNOSTICS_DELAY_MS);
  }

  private tell(): void {
    this.telling = undefined;
    const client = this.told;
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
}
