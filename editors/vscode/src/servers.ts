// SPDX-License-Identifier: Apache-2.0
// `inlined/tools` for people: which MCP servers there are, what they offer, what of it cannot be called and why.
import { field, list, text } from "./outside";

export interface ServerChoice {
  label: string;
  description: string;
  detail: string;
}

function describeQuarantined(server: string, tool: unknown): string[] {
  const changes = text(field(tool, "changes")).split("\n").filter((line) => line !== "");
  return [
    `    ${text(field(tool, "name"))} cannot be called: its definition has changed since it was approved.`,
    `    Compare, then: inlined mcp approve ${server}`,
    ...changes.map((line) => `      ${line}`),
  ];
}

export function describeTools(answer: unknown): string {
  const servers = list(field(answer, "servers")), tools = list(field(answer, "tools"));
  if (!servers.length) return "No MCP server is configured for this workspace (docs/MCP.md says where).\n";
  const lines = servers.flatMap((s) => {
    const name = text(field(s, "name")), why = text(field(s, "why"));
    return [
      `${name}: ${text(field(s, "state"))}${why && `, ${why}`}`,
      ...list(field(s, "quarantined")).flatMap((tool) => describeQuarantined(name, tool)),
    ];
  });
  for (const t of tools) lines.push("", text(field(t, "name")), `    ${text(field(t, "description"))}`);
  return lines.join("\n") + "\n";
}

/** What can be restarted: all but what configuration switches off. */
export function serverChoices(answer: unknown): ServerChoice[] {
  return list(field(answer, "servers"))
    .filter((s) => text(field(s, "name")) !== "" && text(field(s, "state")) !== "disabled")
    .map((s) => ({
      label: text(field(s, "name")), description: text(field(s, "state")), detail: text(field(s, "why")),
    }));
}
