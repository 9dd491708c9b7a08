// SPDX-License-Identifier: Apache-2.0
// Runs the daemon's program with one of its commands (doctor, models ...) and gives back what it printed.
import { spawn } from "node:child_process";
import * as readline from "node:readline";

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

const OUTPUT_CHARS = 1 << 20; // of stdout, and of stderr: what is beyond is not kept

/** `onLine` gets each line of stderr, where progress is. `cancel` ends the program. */
export function runProgram(
  program: string, args: string[], onLine?: (line: string) => void, cancel?: AbortSignal,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...(cancel && { signal: cancel }) });
    const ended: Ended = { code: 1, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (ended.stdout.length < OUTPUT_CHARS) ended.stdout += text;
    });
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
      if (ended.stderr.length < OUTPUT_CHARS) ended.stderr += line + "\n";
      onLine?.(line);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ ...ended, code: code ?? 1 });
    });
  });
}

/** The last line that is not blank: the daemon's commands end with one sentence. */
export function lastLine(text: string): string {
  return text.trimEnd().split(/[\r\n]+/).pop() ?? "";
}
