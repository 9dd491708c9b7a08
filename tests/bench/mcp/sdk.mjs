// SPDX-License-Identifier: Apache-2.0
// The official TypeScript client on one server: sdk.mjs NODE_MODULES TOOL CALLS COMMAND [ARG ...].
// One line of JSON: milliseconds until its tools are listed, and of each call, in order.
const [modules, tool, calls, command, ...args] = process.argv.slice(2);
const sdk = `file://${modules}/@modelcontextprotocol/sdk/dist/esm/client`;
const { Client } = await import(`${sdk}/index.js`);
const { StdioClientTransport } = await import(`${sdk}/stdio.js`);
const before = performance.now();
const client = new Client({ name: "bench", version: "1" });
await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));
await client.listTools();
const start = performance.now() - before;
const times = [];
for (let i = 0; i < Number(calls); i++) {
    const sent = performance.now();
    await client.callTool({ name: tool, arguments: {} });
    times.push(performance.now() - sent);
}
await client.close();
console.log(JSON.stringify({ start, times }));
