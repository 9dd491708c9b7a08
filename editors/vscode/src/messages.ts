// SPDX-License-Identifier: Apache-2.0
// One sentence to the person at the editor.
import * as vscode from "vscode";

export function sentence(what: unknown): string {
  return what instanceof Error ? what.message : String(what);
}

export function complain(what: unknown): void {
  void vscode.window.showErrorMessage(`inlined: ${sentence(what)}`);
}

export function tell(what: string): void {
  void vscode.window.showInformationMessage(`inlined: ${what}`);
}
