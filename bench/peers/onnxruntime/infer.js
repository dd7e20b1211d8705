// Runs an ONNX model in onnxruntime, on request.
//
// Use: infer.js MODEL.onnx BATCH THREADS IMAGES.f32 SHAPE
//
// SHAPE is HxWxC, of images whose numbers lie channels last in the file, little-endian; the model wants them channels first. Requests on standard
// input, one a line, each answered by a line:
//
//	version  name and version
//	check    the logits of the first batch
//	run MS   nanoseconds of each inference, of as many as fit into this many milliseconds, but at least one
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {createInterface} from "node:readline";

const require = createRequire(import.meta.url);
const ort = require("onnxruntime-node");
const {version} = require("onnxruntime-node/package.json");

const [file, batchText, threadsText, imagesFile, shape] = process.argv.slice(2);
const batch = Number(batchText);
const [height, width, channels] = shape.split("x").map(Number);
const bytes = readFileSync(imagesFile);
const images = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const size = height * width * channels;

// Batches are made before the clock starts.
const batches = [];
for (let at = 0; at + batch * size <= images.length; at += batch * size) {
  const first = new Float32Array(batch * size);
  for (let i = 0; i < batch; i++) {
    for (let p = 0; p < height * width; p++) {
      for (let c = 0; c < channels; c++) {
        first[i * size + c * height * width + p] = images[at + i * size + p * channels + c];
      }
    }
  }
  batches.push({images: new ort.Tensor("float32", first, [batch, channels, height, width])});
}

const session = await ort.InferenceSession.create(file, {
  intraOpNumThreads: Number(threadsText), interOpNumThreads: 1, executionMode: "sequential", graphOptimizationLevel: "all",
});
const [output] = session.outputNames;

async function run(milliseconds) {
  const times = [];
  const start = process.hrtime.bigint();
  for (let i = 0; i === 0 || Number(process.hrtime.bigint() - start) < 1e6 * milliseconds; i++) {
    const before = process.hrtime.bigint();
    await session.run(batches[i % batches.length]);
    times.push(process.hrtime.bigint() - before);
  }
  return times;
}

for await (const line of createInterface({input: process.stdin})) {
  const [request, argument] = line.trim().split(" ");
  let answer = "!" + line;
  if (request === "version") {
    answer = "onnxruntime-node " + version;
  } else if (request === "check") {
    answer = Array.from((await session.run(batches[0]))[output].data).join(" ");
  } else if (request === "run") {
    answer = (await run(Number(argument))).join(" ");
  }
  console.log(answer);
}
