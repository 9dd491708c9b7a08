// SPDX-License-Identifier: Apache-2.0
// What the status bar says: a pure function of the daemon's last `inlined/status` and `inlined/daemon` and of what is
// paused.

import { reportLines, type Report } from "./report";

/** The daemon's notification; docs/PROTOCOL.md describes each field. */
export interface DaemonStatus {
  state: "starting" | "loading" | "ready" | "error" | "off";
  kind: string;
  busy: boolean;
  message: string;
  model: string;
  backend: string;
  reason: string;
  uri?: string;
  progress?: number;
}

export type Life = "starting" | "running" | "stopped";

export interface Shown {
  text: string;
  /** Lines of plain text, most important first. */
  tooltip: string[];
  severity: "normal" | "warning" | "error";
}

export interface StatusInputs {
  life: Life;
  /** Why the daemon does not run, if it does not. */
  trouble: string;
  status: DaemonStatus | undefined;
  /** What the daemon last said of its models. */
  report?: Report | undefined;
  /** What is paused for the file at hand, as words; empty: nothing. */
  paused: string;
}

const MESSAGE_CHARS = 300;

function cut(text: string): string {
  return text.length > MESSAGE_CHARS ? text.slice(0, MESSAGE_CHARS - 1) + "…" : text;
}

function running(status: DaemonStatus, report: Report | undefined): Shown {
  const tooltip = [cut(status.message)];
  if (report) tooltip.push(...reportLines(report).map(cut));
  else if (status.model && status.backend) tooltip.push(`${status.model} on ${status.backend}`);
  switch (status.state) {
    case "starting":
      return { text: "$(loading~spin) inlined", tooltip, severity: "normal" };
    case "loading": {
      const percent = status.progress === undefined ? "" : ` ${status.progress} %`;
      return { text: `$(loading~spin) inlined${percent}`, tooltip, severity: "normal" };
    }
    case "error":
      return { text: "$(error) inlined", tooltip, severity: "error" };
    case "off":
      return { text: "$(circle-slash) inlined", tooltip, severity: "normal" };
    case "ready":
      return { text: status.reason ? "$(dash) inlined" : "$(sparkle) inlined", tooltip, severity: "normal" };
  }
}

/** Never throws, also for a status of a newer daemon with a state that is not known here. */
export function describe(inputs: StatusInputs): Shown {
  if (inputs.life === "stopped") {
    const why = inputs.trouble || "The daemon does not run.";
    return { text: "$(error) inlined", tooltip: [cut(why)], severity: "error" };
  }
  if (inputs.paused) {
    return { text: "$(debug-pause) inlined", tooltip: [inputs.paused], severity: "normal" };
  }
  if (inputs.life === "starting" || !inputs.status) {
    return { text: "$(loading~spin) inlined", tooltip: ["The daemon is starting."], severity: "normal" };
  }
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- outside data
  return running(inputs.status, inputs.report) ??
    { text: "inlined", tooltip: [cut(inputs.status.message)], severity: "normal" };
}
