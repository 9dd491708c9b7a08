// SPDX-License-Identifier: Apache-2.0
// Models: the list with what can be done to each, the choice for this machine, which tier suggests.  Settings hold
// what is chosen; the daemon fetches, loads and answers what it has.
import * as os from "node:os";
import * as vscode from "vscode";
import type { Daemon } from "./daemon";
import { complain, sentence, tell } from "./messages";
import {
  choices, deeds, readModels, readProgress, recommend, usedFor, type Choice, type Deed, type Model,
} from "./models";
import { lastLine, runProgram } from "./program";
import { tierOf, type Report } from "./report";

async function listModels(program: string): Promise<Model[]> {
  const listed = await runProgram(program, ["models", "list", "--json"]);
  if (listed.code !== 0) throw new Error(lastLine(listed.stderr));
  return readModels(listed.stdout).models;
}

/** Fetches a model with its progress shown; false: it was cancelled, or failed and that was said. */
async function pull(program: string, name: string): Promise<boolean> {
  const abort = new AbortController();
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `inlined: model ${name}`,
    cancellable: true,
  };
  return vscode.window.withProgress(options, async (progress, token) => {
    token.onCancellationRequested(() => {
      abort.abort();
    });
    let shown = 0;
    const onLine = (line: string): void => {
      const now = readProgress(line);
      if (!now) return;
      progress.report({ message: now.message, increment: Math.max(0, now.percent - shown) });
      shown = now.percent;
    };
    try {
      const ended = await runProgram(program, ["models", "pull", name], onLine, abort.signal);
      if (ended.code === 0) return true;
      complain(lastLine(ended.stderr));
    } catch (error) {
      if (!abort.signal.aborted) complain(error);
    }
    return false;
  });
}

async function useInTier(name: string, tier: string): Promise<void> {
  const configuration = vscode.workspace.getConfiguration("inlined");
  await configuration.update(`tiers.${tier}.model`, name, vscode.ConfigurationTarget.Global);
}

function completionTier(report: Report | undefined): string {
  const set = vscode.workspace.getConfiguration("inlined").get<string>("roles.completion");
  return (report && tierOf(report, "completion")?.tier) ?? set ?? "small";
}

/** Fetches the model if need be and lets it suggest. */
async function useForCompletion(program: string, model: Model, report: Report | undefined): Promise<void> {
  if (!model.present && !(await pull(program, model.name))) return;
  await useInTier(model.name, completionTier(report));
  tell(`${model.name} makes the suggestions from now on.`);
}

const memory = (): string => `${Math.round(os.totalmem() / 1e9)} GB of memory on this machine`;

function programOf(daemon: Daemon): string {
  const found = daemon.find();
  if (!found) throw new Error(daemon.trouble);
  return found.program;
}

async function pickModel(daemon: Daemon): Promise<void> {
  const program = programOf(daemon);
  const items: Choice[] = choices(await listModels(program), os.totalmem());
  const chosen = await vscode.window.showQuickPick(items, {
    title: "inlined: which model makes the suggestions?",
    placeHolder: `${memory()}; what fits comes first`,
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (chosen) await useForCompletion(program, chosen.model, await daemon.look());
}

function suited(models: Model[], report: Report | undefined): Model | undefined {
  const machine = {
    memoryBytes: os.totalmem(), gpuBytes: report?.deviceBytes ?? 0, cores: os.availableParallelism(),
  };
  return recommend(models, machine);
}

/** One click of the walkthrough: what this machine's memory suggests. */
async function useSuited(daemon: Daemon): Promise<void> {
  const program = programOf(daemon);
  const report = await daemon.look();
  const model = suited(await listModels(program), report);
  if (model) await useForCompletion(program, model, report);
  else complain(`No model of the list fits here (${memory()}); choose one yourself.`);
}

async function act(daemon: Daemon, program: string, model: Model, deed: Deed): Promise<void> {
  switch (deed.do) {
    case "pull":
      if (await pull(program, model.name)) tell(`${model.name} is on this machine now.`);
      break;
    case "role":
      await useInTier(model.name, deed.tier);
      break;
    case "load":
    case "unload":
      await daemon.request("inlined/models", { action: deed.do, tier: deed.tier });
      break;
    case "remove": {
      const question = `Delete the file of ${model.name}?`;
      const sure = await vscode.window.showWarningMessage(question, { modal: true }, "Delete");
      if (sure !== "Delete") return;
      const ended = await runProgram(program, ["models", "rm", model.name]);
      if (ended.code !== 0) throw new Error(lastLine(ended.stderr));
    }
  }
  void daemon.look();
}

async function manage(daemon: Daemon): Promise<void> {
  const program = programOf(daemon);
  const report = await daemon.look();
  const items = choices(await listModels(program), os.totalmem()).map((c) => {
    const used = usedFor(c.model, report);
    return { ...c, description: used ? `${c.description}; used for ${used}` : c.description };
  });
  const here = items.filter((c) => c.model.present), elsewhere = items.filter((c) => !c.model.present);
  const line = (label: string): vscode.QuickPickItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const chosen = await vscode.window.showQuickPick([line("on this machine"), ...here, line("to fetch"), ...elsewhere], {
    title: "inlined: models", placeHolder: memory(), matchOnDescription: true, matchOnDetail: true,
  });
  if (!chosen || !("model" in chosen)) return;
  const { model } = chosen;
  const deed = await vscode.window.showQuickPick(deeds(model, report), {
    title: `inlined: ${model.name}`, placeHolder: `${chosen.description}. ${chosen.detail}`,
  });
  if (deed) await act(daemon, program, model, deed);
}

async function switchTier(daemon: Daemon): Promise<void> {
  const report = await daemon.look();
  if (!report) throw new Error(daemon.trouble || "The daemon does not answer yet.");
  const items = report.tiers.map((t) => ({
    label: `${t.roles.includes("completion") ? "$(check)" : "$(blank)"} ${t.tier}`,
    description: t.model, detail: t.why, tier: t.tier,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title: "inlined: which tier makes the suggestions?" });
  if (!chosen) return;
  const configuration = vscode.workspace.getConfiguration("inlined");
  await configuration.update("roles.completion", chosen.tier, vscode.ConfigurationTarget.Global);
  void daemon.look();
}

const ASKED = "inlined.firstModelAsked";

/** Once, on a machine without any model: what would suit it, and that it is not here yet. */
export async function offerFirstModel(daemon: Daemon, memento: vscode.Memento): Promise<void> {
  if (memento.get(ASKED)) return;
  const program = daemon.find()?.program;
  const models = program === undefined ? [] : await listModels(program);
  if (program === undefined || models.some((m) => m.present)) return;
  await memento.update(ASKED, true);
  const report = await daemon.look();
  const model = suited(models, report);
  const text = `inlined needs a model, and there is none on this machine yet (${memory()}).`;
  const fetch = model && `Fetch ${model.name}`;
  const chosen = await vscode.window.showInformationMessage(text, ...(fetch ? [fetch] : []), "Show All");
  if (model && chosen === fetch) await useForCompletion(program, model, report);
  if (chosen === "Show All") await pickModel(daemon);
}

export function modelCommands(daemon: Daemon): Record<string, () => unknown> {
  const guarded = (start: (d: Daemon) => Promise<void>) => (): Promise<void> =>
    start(daemon).catch((error: unknown) => { complain(sentence(error)); });
  return {
    "inlined.pickModel": guarded(pickModel),
    "inlined.useSuitedModel": guarded(useSuited),
    "inlined.models": guarded(manage),
    "inlined.switchTier": guarded(switchTier),
  };
}
