// SPDX-License-Identifier: Apache-2.0
// Pages beside the code: explanations, which the daemon writes (scheme inlined, through the language client) and which
// grow while it does, and texts of our own (scheme inlined-view).  Neither can be edited, so nobody is asked to save.
import * as vscode from "vscode";

const PAGE = "inlined";
const VIEW = "inlined-view";
const PREVIEW = "vscode.markdown.preview.editor"; // VS Code's own

/** Beside the code, or where a page is already. */
function column(): vscode.ViewColumn {
  for (const group of vscode.window.tabGroups.all) {
    for (const { input } of group.tabs) {
      const page = input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom;
      if (page && [PAGE, VIEW].includes(input.uri.scheme)) return group.viewColumn;
    }
  }
  return vscode.ViewColumn.Beside;
}

/** Markdown is shown rendered; the keys stay in the code. */
export async function showPage(uri: vscode.Uri): Promise<void> {
  const options = { viewColumn: column(), preserveFocus: true, preview: true };
  try {
    await vscode.commands.executeCommand("vscode.openWith", uri, PREVIEW, options);
  } catch {
    await vscode.window.showTextDocument(uri, options); // without VS Code's Markdown extension
  }
}

export class Views implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly onDidChange: vscode.Event<vscode.Uri>;
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly texts = new Map<string, string>();
  private readonly registered: vscode.Disposable;

  constructor() {
    this.onDidChange = this.changed.event;
    this.registered = vscode.workspace.registerTextDocumentContentProvider(VIEW, this);
  }

  dispose(): void {
    this.registered.dispose();
    this.changed.dispose();
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** `name` is the tab's title; what was shown under it before is replaced. */
  async show(name: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: VIEW, path: `/${name}` });
    this.texts.set(uri.path, text);
    this.changed.fire(uri);
    await vscode.window.showTextDocument(uri, { viewColumn: column(), preserveFocus: true, preview: true });
  }
}
