// SPDX-License-Identifier: Apache-2.0
// The daemon's answer to `inlined/daemon`, as far as it is shown here.  Outside data: what is missing or of another
// kind becomes nothing.  Pure.
import { field, list, number, text } from "./outside";

export interface TierReport {
  tier: string;
  roles: string[];
  model: string;
  why: string;
}

export interface ModelReport {
  name: string;
  state: string;
  backend: string;
  quantisation: string;
  /** Tokens that it writes in a second of writing. */
  speed: number;
  bytes: number;
  percent: number;
  error: string;
}

export interface Report {
  version: string;
  device: string;
  /** Memory of the GPU; 0: the daemon uses none. */
  deviceBytes: number;
  tiers: TierReport[];
  models: ModelReport[];
}

function modelOf(m: unknown): ModelReport {
  const memory = field(m, "memory");
  return {
    name: text(field(m, "name")),
    state: text(field(m, "state")),
    backend: text(field(m, "backend")),
    quantisation: text(field(m, "quantisation")),
    speed: number(field(m, "speed")),
    bytes: ["weights", "context", "work"].reduce((sum, part) => sum + number(field(memory, part)), 0),
    percent: number(field(m, "percent")),
    error: text(field(m, "error")),
  };
}

export function readReport(json: unknown): Report {
  return {
    version: text(field(json, "version")),
    device: text(field(field(json, "device"), "name")),
    deviceBytes: number(field(field(json, "device"), "memory")),
    tiers: list(field(json, "tiers")).map((t) => ({
      tier: text(field(t, "tier")),
      roles: list(field(t, "roles")).map(text),
      model: text(field(t, "model")),
      why: text(field(t, "why")),
    })),
    models: list(field(json, "models")).map(modelOf),
  };
}

/** The tier that works in a role ("completion", "actions", ...). */
export function tierOf(report: Report, role: string): TierReport | undefined {
  return report.tiers.find((t) => t.roles.includes(role));
}

function stateOf(m: ModelReport): string {
  switch (m.state) {
    case "ready": {
      const speed = m.speed > 0 ? `, ${m.speed.toFixed(0)} tokens/s` : "";
      return `${m.backend}${m.quantisation && ` (${m.quantisation})`}${speed}`;
    }
    case "loading":
      return `loading, ${m.percent} %`;
    case "failed":
      return m.error;
    default:
      return "not in memory";
  }
}

/** One line for each tier that does something: what it is for, its model, where that runs and how fast. */
export function reportLines(report: Report): string[] {
  return report.tiers.filter((t) => t.roles.length).map((t) => {
    const model = report.models.find((m) => m.name === t.model);
    return `${t.tier} (${t.roles.join(", ")}): ${t.model}: ${model ? stateOf(model) : "not in memory"}`;
  });
}
