// SPDX-License-Identifier: Apache-2.0
// Which diagnostics of other tools the daemon is told of (inlined/diagnostics): errors and warnings, the nearest to
// the cursor first.  Pure; daemon.ts listens and sends.
export const DIAGNOSTICS_MOST = 32;
export const DIAGNOSTICS_DELAY_MS = 300;

export interface Finding {
  severity: number; // of VS Code: 0 error, 1 warning, 2 information, 3 hint
  source?: string | undefined;
  range: { start: { line: number } };
}

/** Whether the daemon itself reported it. */
export function isOwn(finding: { source?: string | undefined }): boolean {
  return (finding.source ?? "").startsWith("inlined");
}

export function nearest<T extends Finding>(all: readonly T[], line: number): T[] {
  const distance = (d: T): number => Math.abs(d.range.start.line - line);
  return all
    .filter((d) => d.severity <= 1 && !isOwn(d))
    .sort((a, b) => distance(a) - distance(b) || a.range.start.line - b.range.start.line)
    .slice(0, DIAGNOSTICS_MOST);
}
