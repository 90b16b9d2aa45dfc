// Runs a network beside the page: {network, image, trimap, width, height} in, {matte, milliseconds} out.
import * as ort from "./vendor/ort.wasm.bundle.min.mjs";
import { planes } from "./pixels.js";

ort.env.wasm.wasmPaths = { wasm: new URL("./vendor/ort-wasm-simd-threaded.wasm", import.meta.url).href };
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
const sessions = new Map();

async function session(network) {
  if (!sessions.has(network)) {
    const made = await ort.InferenceSession.create(new URL(`./models/${network}.onnx`, import.meta.url).href);
    const feeds = (side) => ({
      image: new ort.Tensor("float32", new Float32Array(3 * side * side), [1, 3, side, side]),
      trimap: new ort.Tensor("float32", new Float32Array(side * side), [1, 1, side, side]),
    });
    await made.run(feeds(64)); // the first run allocates
    sessions.set(network, made);
  }
  return sessions.get(network);
}

self.onmessage = async ({ data: { id, network, image, trimap, width, height } }) => {
  try {
    const made = await session(network), count = width * height;
    const known = Float32Array.from(trimap, (value) => value / 255);
    const begin = performance.now();
    const { alpha } = await made.run({
      image: new ort.Tensor("float32", planes(image, count), [1, 3, height, width]),
      trimap: new ort.Tensor("float32", known, [1, 1, height, width]),
    });
    const milliseconds = performance.now() - begin;
    // Known pixels are exact.
    const matte = Uint8Array.from(trimap, (value, i) => (value === 128 ? Math.round(255 * alpha.data[i]) : value));
    self.postMessage({ id, matte, milliseconds }, [matte.buffer]);
  } catch (error) {
    const memory = /memory|alloc|bad_alloc|OOM/i.test(String(error));
    self.postMessage({ id, error: memory ? "Not enough memory; choose a smaller size." : String(error) });
  }
};
