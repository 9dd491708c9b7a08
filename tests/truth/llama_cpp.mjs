// SPDX-License-Identifier: Apache-2.0
// What llama.cpp computes for given token ids, teacher forced (through node-llama-cpp).
//
//     node llama_cpp.mjs < orders.json > OUT.json
//
// Input: [{"model": PATH, "prompts": [{"tokens": [...], "ask": [[ids of row 0], ...]}]}].  Output:
// for each order, prompt and row the log-probabilities of the asked ids, softmax over the whole
// vocabulary; for an order whose model does not load {"error": sentence}.
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import path from "node:path";

// First of all: the package makes stdin a stream that does not block.
const orders = JSON.parse(readFileSync(0, "utf8"));
const PIECE = 32; // tokens at a time: each answers with a map of the whole vocabulary
const modules = process.env.INLINED_PEERS || path.resolve("node_modules");
const entry = path.join(modules, "node-llama-cpp", "dist", "index.js");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry).href);

const llama = await getLlama({
  gpu: false, build: "never", skipDownload: true, maxThreads: 1,
  logLevel: LlamaLogLevel.error, progressLogs: false,
});

async function runPrompt(model, prompt) {
  const context = await model.createContext({
    contextSize: 512, batchSize: 512, threads: {ideal: 1, min: 1}, flashAttention: false,
  });
  const sequence = context.getSequence();
  const want = {generateNext: {probabilities: true, options: {temperature: 0}}};
  const found = [];
  for (let from = 0; from < prompt.tokens.length; from += PIECE) {
    const tokens = prompt.tokens.slice(from, from + PIECE);
    const rows = await sequence.controlledEvaluate(tokens.map((token) => [token, want]));
    rows.forEach((row, p) => found.push(prompt.ask[from + p].map(
      (id) => Math.log(row.next.probabilities.get(id)))));
  }
  await context.dispose();
  return found;
}

async function runOrder(order) {
  let model;
  try {
    model = await llama.loadModel({modelPath: order.model, gpuLayers: 0});
  } catch (e) {
    return {error: String(e)};
  }
  const results = [];
  for (const prompt of order.prompts) {
    results.push(await runPrompt(model, prompt));
  }
  await model.dispose();
  return results;
}

const results = [];
for (const order of orders) {
  results.push(await runOrder(order));
}
process.stdout.write(JSON.stringify(results));
await llama.dispose();
