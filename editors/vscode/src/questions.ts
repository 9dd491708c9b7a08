// SPDX-License-Identifier: Apache-2.0
// The daemon's questions (window/showMessageRequest) as a modal box: what is decided above, the whole of what it is
// about (a command line, a tool's arguments) below.  Pure.

export interface Question {
  message: string;
  detail: string;
}

/** JSON over several lines where it is JSON, else the text as it is. */
function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

export function question(text: string): Question {
  const tool = /^(May the model call .*?) with ([[{].*)\?$/s.exec(text);
  if (tool?.[1] && tool[2]) return { message: `${tool[1]}?`, detail: readable(tool[2]) };
  const server = /^(This project wants to start .*?): (.*)$/s.exec(text);
  if (server?.[1] && server[2]) return { message: `${server[1]}.`, detail: server[2] };
  const page = /^(The MCP server .*? asks you to open) (\S+)$/s.exec(text);
  if (page?.[1] && page[2]) return { message: `${page[1]} a page.`, detail: page[2] };
  const [first, ...rest] = text.split("\n");
  return { message: first ?? "", detail: rest.join("\n").trim() };
}
