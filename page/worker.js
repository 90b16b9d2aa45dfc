// Runs a network beside the page: {id, network, backend, image, trimap, width, height} in, {id, matte, cutout, milliseconds} out.
import { UNKNOWN, cutOut, planes } from "./pixels.js";

const BINARIES = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };
const sessions = new Map();

async function runtime(backend) {
  if (backend === "webgpu" && !(await navigator.gpu?.requestAdapter()))
    throw new Error("This browser offers no WebGPU; choose the processor.");
  const ort = await import(`./vendor/ort.${backend}.bundle.min.mjs`).catch(() => {
    throw new Error("The runtime could not be loaded; run make page again.");
  });
  ort.env.wasm.wasmPaths = { wasm: new URL(`./vendor/${BINARIES[backend]}`, import.meta.url).href };
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  return ort;
}

/** A function of (N,3,H,W) and (N,1,H,W), loaded and warmed up once. */
async function loaded(network, backend) {
  const key = `${backend} ${network}`;
  if (!sessions.has(key)) {
    const ort = await runtime(backend);
    const url = new URL(`./models/${network}.onnx`, import.meta.url).href;
    const session = await ort.InferenceSession.create(url, { executionProviders: [backend] });
    const run = async (image, trimap, height, width) => {
      const { alpha } = await session.run({
        image: new ort.Tensor("float32", image, [1, 3, height, width]),
        trimap: new ort.Tensor("float32", trimap, [1, 1, height, width]),
      });
      return alpha.data;
    };
    await run(new Float32Array(3 * 64 * 64), new Float32Array(64 * 64), 64, 64); // the first run allocates
    sessions.set(key, run);
  }
  return sessions.get(key);
}

self.onmessage = async ({ data: { id, network, backend, image, trimap, width, height } }) => {
  try {
    const run = await loaded(network, backend);
    const known = Float32Array.from(trimap, (value) => value / 255);
    const begin = performance.now();
    const alpha = await run(planes(image, width * height), known, height, width);
    const milliseconds = performance.now() - begin;
    // Known pixels are exact.
    const matte = Uint8Array.from(trimap, (value, i) => (value === UNKNOWN ? Math.round(255 * alpha[i]) : value));
    const cutout = cutOut(image, matte, width, height);
    self.postMessage({ id, matte, cutout, milliseconds }, [matte.buffer, cutout.buffer]);
  } catch (error) {
    const memory = /memory|alloc/i.test(String(error));
    self.postMessage({ id, error: memory ? "Not enough memory; choose a smaller size." : (error.message ?? String(error)) });
  }
};
