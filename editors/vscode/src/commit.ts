// SPDX-License-Identifier: Apache-2.0
// A message for what is staged, put into the box of the source control view; the person commits.
import * as vscode from "vscode";
import type { Daemon } from "./daemon";
import { complain } from "./messages";
import { run } from "./work";

/** Of VS Code's own Git extension, what is used here. */
interface Repository {
  rootUri: vscode.Uri;
  inputBox: { value: string };
}
interface GitExtension {
  getAPI(version: 1): { repositories: Repository[] };
}

async function repositories(): Promise<Repository[]> {
  const git = vscode.extensions.getExtension<GitExtension>("vscode.git");
  try {
    return git ? (await git.activate()).getAPI(1).repositories : [];
  } catch {
    return []; // it is switched off (git.enabled)
  }
}

/** The one of the view's title, of the file at hand, the only one, or the chosen one. */
async function repositoryOf(all: Repository[], from: unknown): Promise<Repository | undefined> {
  const given = (from as { rootUri?: vscode.Uri } | undefined)?.rootUri;
  const file = vscode.window.activeTextEditor?.document.uri;
  const inside = (r: Repository): boolean => file !== undefined && file.path.startsWith(`${r.rootUri.path}/`);
  const known = all.find((r) => given && r.rootUri.toString() === given.toString())
    ?? all.find(inside) ?? (all.length === 1 ? all[0] : undefined);
  if (known) return known;
  const items = all.map((repository) => ({ label: repository.rootUri.path, repository }));
  return (await vscode.window.showQuickPick(items, { title: "inlined: a message for which repository?" }))?.repository;
}

export async function writeCommitMessage(daemon: Daemon, from: unknown): Promise<void> {
  const all = await repositories();
  if (!all.length) {
    complain("There is no git repository in this window.");
    return;
  }
  const repository = await repositoryOf(all, from);
  if (!repository) return;
  // The daemon asks git in the folder of this file, which need not be there.
  const uri = vscode.Uri.joinPath(repository.rootUri, "-").toString();
  const result = await run(daemon, "Commit message", "inlined.commitMessage", { uri });
  const message = (result as { message?: unknown } | undefined)?.message;
  if (typeof message !== "string") return;
  repository.inputBox.value = message.trim();
  await vscode.commands.executeCommand("workbench.view.scm");
}
