// SPDX-License-Identifier: Apache-2.0
// `inlined models list --json` as a list to choose from, the best fit for this machine's memory first.

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

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

/** Throws an Error with one sentence when `json` is not what the command prints. */
export function readModels(json: string): { default: string; models: Model[] } {
  const root = JSON.parse(json) as { default?: unknown; models?: unknown };
  if (!Array.isArray(root.models)) throw new Error("The daemon's list of models has no models.");
  const models = (root.models as Record<string, unknown>[]).map((m) => ({
    name: text(m.name),
    tier: text(m.tier),
    parameters: text(m.parameters),
    quantisation: text(m.quantisation),
    licence: text(m.licence),
    fim: text(m.fim),
    note: text(m.note),
    bytes: number(m.bytes),
    memory_bytes: number(m.memory_bytes),
    present: m.present === true,
  }));
  return { default: text(root.default), models: models.filter((m) => m.name !== "") };
}

/** Those that fit first, the largest of them first; then those that do not, the smallest first. */
export function choices(models: Model[], memoryBytes: number): Choice[] {
  const all = models.map((model) => {
    const fits = model.memory_bytes <= memoryBytes * SHARE;
    const where = model.present ? "on this machine" : `to fetch: ${gigabytes(model.bytes)}`;
    const fim = model.fim === "none" || model.fim === "" ? "sees only what is before the cursor" : "sees both sides";
    return {
      model,
      fits,
      label: `${model.present ? "$(check)" : "$(cloud-download)"} ${model.name}`,
      description: `${model.parameters} ${model.quantisation}, ${where}`,
      detail: `${fits ? "" : "Too large for this machine's memory. "}${gigabytes(model.memory_bytes)} of memory, ` +
        `${fim}, ${model.licence}. ${model.note}`,
    };
  });
  return all.sort((a, b) => {
    if (a.fits !== b.fits) return a.fits ? -1 : 1;
    const larger = b.model.memory_bytes - a.model.memory_bytes;
    return a.fits ? larger : -larger;
  });
}

/** Percent and words out of a line of `inlined models pull`: "fetching NAME  36 %  33 of 93 MB". */
export function readProgress(line: string): { percent: number; message: string } | undefined {
  const m = /^(?:inlined: )?(.*?) +(\d{1,3}) %/.exec(line);
  if (!m?.[1] || m[2] === undefined) return undefined;
  return { percent: Math.min(100, Number(m[2])), message: line.replace(/^inlined: /, "").trim() };
}
