// SPDX-License-Identifier: Apache-2.0
// The daemon reads the section "inlined" and complains about names that it does not know; so what belongs to
// this extension alone is taken out before it is sent.

const OWN = new Set(["server", "trace"]);

export function daemonSettings(section: unknown): unknown {
  if (typeof section !== "object" || section === null || Array.isArray(section)) return section;
  return Object.fromEntries(Object.entries(section).filter(([name]) => !OWN.has(name)));
}
