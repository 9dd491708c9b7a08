// SPDX-License-Identifier: Apache-2.0
// `inlined models list --json` as a list to choose from, the best fit for this machine's memory first, and what can
// be done with each.  Pure.
import { list, field, number, text } from "./outside";
import type { Report } from "./report";

export interface Model {
  name: string;
  tier: string;
  parameters: string;
  quantisation: string;
  licence: string;
  fim: string;
  note: string;
  bytes: number;
  memory_bytes: number;
  present: boolean;
}

export interface Choice {
  model: Model;
  label: string;
  description: string;
  detail: string;
  fits: boolean;
}

/** A model may take this share of the memory: the editor, the browser and compilers want the rest. */
const SHARE = 0.5;

function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** Throws an Error with one sentence when `json` is not what the command prints. */
export function readModels(json: string): { default: string; models: Model[] } {
  const root: unknown = JSON.parse(json);
  if (!Array.isArray(field(root, "models"))) throw new Error("The daemon's list of models has no models.");
  const models = list(field(root, "models")).map((m) => ({
    name: text(field(m, "name")),
    tier: text(field(m, "tier")),
    parameters: text(field(m, "parameters")),
    quantisation: text(field(m, "quantisation")),
    licence: text(field(m, "licence")),
    fim: text(field(m, "fim")),
    note: text(field(m, "note")),
    bytes: number(field(m, "bytes")),
    memory_bytes: number(field(m, "memory_bytes")),
    present: field(m, "present") === true,
  }));
  return { default: text(field(root, "default")), models: models.filter((m) => m.name !== "") };
}

/** Those that fit first, the largest of them first; then those that do not, the smallest first; unknown sizes last. */
export function choices(models: Model[], memoryBytes: number): Choice[] {
  const all = models.map((model) => {
    const fits = model.memory_bytes > 0 && model.memory_bytes <= memoryBytes * SHARE;
    const size = model.bytes > 0 ? gigabytes(model.bytes) : "its size is known when it is fetched";
    const where = model.present ? "on this machine" : `to fetch: ${size}`;
    const memory = model.memory_bytes > 0 ? `${gigabytes(model.memory_bytes)} of memory` : "memory not known";
    const large = fits || model.memory_bytes === 0 ? "" : "Too large for this machine's memory. ";
    return {
      model,
      fits,
      label: `${model.present ? "$(check)" : "$(cloud-download)"} ${model.name}`,
      description: `${model.parameters} ${model.quantisation}, ${where}`,
      detail: `${large}${memory}, ${completes(model) ? "sees both sides" : "sees only what is before the cursor"}, ` +
        `${model.licence}. ${model.note}`,
    };
  });
  const rank = (c: Choice): number => (c.fits ? 0 : c.model.memory_bytes > 0 ? 1 : 2);
  return all.sort((a, b) => {
    const larger = b.model.memory_bytes - a.model.memory_bytes;
    return rank(a) - rank(b) || (a.fits ? larger : -larger);
  });
}

/** Whether it was trained to fill in the middle. */
function completes(model: Model): boolean {
  return model.fim !== "" && model.fim !== "none";
}

export interface Machine {
  memoryBytes: number;
  /** 0: there is no GPU that the daemon can use. */
  gpuBytes: number;
  cores: number;
}

/**
 * The model for suggestions on this machine: the largest that fills in the middle within a quarter of the GPU's
 * memory; without a GPU within an eighth of the main memory, and no larger than so many cores can wait for.
 */
export function recommend(models: Model[], machine: Machine): Model | undefined {
  const patience = machine.cores >= 8 ? 2.1e9 : machine.cores >= 4 ? 0.75e9 : 0.6e9;
  const most = machine.gpuBytes > 0 ? machine.gpuBytes / 4 : Math.min(machine.memoryBytes / 8, patience);
  return models
    .filter((m) => completes(m) && m.memory_bytes > 0 && m.memory_bytes <= most)
    .sort((a, b) => b.memory_bytes - a.memory_bytes)[0];
}

/** What can be done with a model of the list. */
export type Deed =
  | { do: "pull" | "remove"; label: string }
  | { do: "role"; label: string; tier: string }
  | { do: "load" | "unload"; label: string; tier: string };

const ROLES: Record<string, string> = {
  completion: "suggestions", actions: "code actions", review: "reviews", explain: "explanations",
};

export function deeds(model: Model, report: Report | undefined): Deed[] {
  if (!model.present) return [{ do: "pull", label: "$(cloud-download) Fetch it" }];
  const out: Deed[] = [];
  for (const tier of report?.tiers ?? []) {
    const roles = tier.roles.map((r) => ROLES[r] ?? r).join(", ");
    const loaded = report?.models.find((m) => m.name === model.name)?.state === "ready";
    if (tier.model !== model.name && roles)
      out.push({ do: "role", label: `$(arrow-right) Use it for ${roles} (tier ${tier.tier})`, tier: tier.tier });
    else if (tier.model === model.name && !out.some((d) => d.do === "load" || d.do === "unload"))
      out.push({ do: loaded ? "unload" : "load", tier: tier.tier,
        label: loaded ? "$(debug-stop) Take it out of memory" : "$(debug-start) Load it now" });
  }
  return [...out, { do: "remove", label: "$(trash) Delete its file" }];
}

/** "suggestions, reviews": what it is used for now. */
export function usedFor(model: Model, report: Report | undefined): string {
  const tiers = (report?.tiers ?? []).filter((t) => t.model === model.name);
  return tiers.flatMap((t) => t.roles).map((r) => ROLES[r] ?? r).join(", ");
}

/** Percent and words out of a line of `inlined models pull`: "fetching NAME  36 %  33 of 93 MB". */
export function readProgress(line: string): { percent: number; message: string } | undefined {
  const m = /^(?:inlined: )?(.*?) +(\d{1,3}) %/.exec(line);
  if (!m?.[1] || m[2] === undefined) return undefined;
  return { percent: Math.min(100, Number(m[2])), message: line.replace(/^inlined: /, "").trim() };
}
