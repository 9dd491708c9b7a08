// SPDX-License-Identifier: Apache-2.0
// Bundles the extension into dist/, and with --tests the unit tests into dist-test/.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const top = fileURLToPath(new URL("..", import.meta.url));
const shared = { bundle: true, platform: "node", target: "node20", logLevel: "warning" };
const LIMIT_BYTES = 500 * 1024; // a bundle that grows beyond this carries something by accident

if (process.argv.includes("--tests")) {
  const tests = fs.readdirSync(path.join(top, "test")).filter((n) => n.endsWith(".test.ts"));
  await esbuild.build({
    ...shared,
    entryPoints: tests.map((n) => path.join(top, "test", n)),
    outdir: path.join(top, "dist-test"),
    format: "cjs",
  });
} else {
  const out = path.join(top, "dist/extension.js");
  await esbuild.build({
    ...shared,
    entryPoints: [path.join(top, "src/extension.ts")],
    outfile: out,
    format: "cjs",
    external: ["vscode"],
    minify: true,
  });
  const bytes = fs.statSync(out).size;
  console.log(`dist/extension.js ${(bytes / 1024).toFixed(0)} KB`);
  if (bytes > LIMIT_BYTES) {
    console.error(`the bundle is over ${LIMIT_BYTES / 1024} KB`);
    process.exit(1);
  }
}
