// SPDX-License-Identifier: Apache-2.0
// What the daemon works at for this window and can be told to stop, by the tokens of its progress: also what the
// editor's own menu of code actions started, which has no button of ours.
import {
  WorkDoneProgressCancelNotification, type LanguageClient, type ProgressToken,
} from "vscode-languageclient/node";

export class RunningWork {
  private readonly titles = new Map<ProgressToken, string>();

  begins(token: ProgressToken, title: string): void {
    this.titles.set(token, title);
  }

  ends(token: ProgressToken): void {
    this.titles.delete(token);
  }

  clear(): void {
    this.titles.clear();
  }

  all(): string[] {
    return [...this.titles.values()];
  }

  /** False: nothing ran. */
  cancel(client: LanguageClient): boolean {
    const any = this.titles.size > 0;
    for (const token of this.titles.keys())
      void client.sendNotification(WorkDoneProgressCancelNotification.type, { token });
    return any;
  }
}
