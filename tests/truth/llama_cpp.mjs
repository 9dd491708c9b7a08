// SPDX-License-Identifier: Apache-2.0
// What llama.cpp computes for given token ids, teacher forced (through node-llama-cpp).
//
//     node llama_cpp.mjs MODEL.gguf < prompts.json > OUT.json
//
// Input: [{"tokens": [...], "ask": [[ids of row 0], ...]}].  Output: for each prompt and row the
// log-probabilities of the asked ids, softmax over the whole vocabulary.
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import path from "node:path";

const modules = process.env.INLINED_PEERS || path.resolve("node_modules");
const entry = path.join(modules, "node-llama-cpp", "dist", "index.js");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry).href);

const prompts = JSON.parse(readFileSync(0, "utf8"));
const llama = await getLlama({
  gpu: false, build: "never", skipDownload: true, maxThreads: 1,
  logLevel: LlamaLogLevel.error, progressLogs: false,
});
const model = await llama.loadModel({modelPath: process.argv[2], gpuLayers: 0});
const results = [];
for (const prompt of prompts) {
  const context = await model.createContext({
    contextSize: 512, batchSize: 512, threads: {ideal: 1, min: 1}, flashAttention: false,
  });
  const sequence = context.getSequence();
  const want = {generateNext: {probabilities: true, options: {temperature: 0}}};
  const rows = await sequence.controlledEvaluate(prompt.tokens.map((token) => [token, want]));
  results.push(rows.map((row, p) => prompt.ask[p].map(
    (id) => Math.log(row.next.probabilities.get(id)))));
  await context.dispose();
}
process.stdout.write(JSON.stringify(results));
await llama.dispose();
