// The page: a photograph, a trimap painted on it or made of a mask, the mattes of one or two networks.
import { BACKGROUND, FOREGROUND, UNKNOWN, trimapOfMask } from "./pixels.js";

const UNDO = 20; // strokes
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), context = canvas.getContext("2d");
const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let picture = null; // {name, width, height, data, trimap, history, mattes: [{network, matte, cutout, milliseconds}]}
let backdrop = null; // an ImageBitmap
let brush = { x: 0, y: 0, down: false }, frame = 0;

worker.onmessage = ({ data }) => {
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error) reject(new Error(data.error));
  else resolve(data);
};
worker.onerror = () => {
  for (const { reject } of waiting.values()) reject(new Error("The worker failed; load this page again."));
  waiting.clear();
};

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", wrong);
}

/** Do something that may fail, with a sentence on the page if it does. */
async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(error.message, true);
  }
}

async function bitmapOf(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${file.name || "This file"} is not a picture that this browser reads, or too large for it.`);
  }
}

function pixelsOf(bitmap, width, height) {
  const drawing = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  drawing.imageSmoothingQuality = "high";
  drawing.drawImage(bitmap, 0, 0, width, height);
  return drawing.getImageData(0, 0, width, height);
}

async function openPhotograph(file) {
  const bitmap = await bitmapOf(file);
  const scale = Math.min(1, Number($("size").value) / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(scale * bitmap.width)), height = Math.max(1, Math.round(scale * bitmap.height));
  picture = {
    file, width, height,
    name: (file.name || "photograph").replace(/\.[^.]*$/, ""),
    original: [bitmap.width, bitmap.height],
    data: pixelsOf(bitmap, width, height),
    trimap: new Uint8Array(width * height).fill(UNKNOWN),
    history: [], mattes: [],
  };
  brush = { x: width >> 1, y: height >> 1, down: false };
  canvas.width = width;
  canvas.height = height;
  $("mask").disabled = $("run").disabled = false;
  show("trimap");
  const resized = scale < 1 ? `, reduced from ${bitmap.width} x ${bitmap.height}` : "";
  say(`${width} x ${height} pixels${resized}. Paint foreground and background, or open a mask.`);
}

async function openMask(file) {
  const bitmap = await bitmapOf(file), { width, height, original } = picture;
  if (bitmap.width !== original[0] || bitmap.height !== original[1])
    throw new Error(`The mask is ${bitmap.width} x ${bitmap.height}, the photograph ${original[0]} x ${original[1]}.`);
  const { data } = pixelsOf(bitmap, width, height);
  const cut = data.some((value, i) => i % 4 === 3 && value < 255); // an RGBA cut-out: its alpha is the mask
  const mask = Uint8Array.from({ length: width * height }, (_, i) =>
    cut ? data[4 * i + 3] : Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]));
  const near = (value) => [BACKGROUND, UNKNOWN, FOREGROUND].find((level) => Math.abs(value - level) <= 16);
  let levels = 0, unknown = 0;
  for (const value of mask) {
    levels += near(value) !== undefined;
    unknown += near(value) === UNKNOWN;
  }
  remember();
  const isTrimap = !cut && unknown > 0.001 * mask.length && levels > 0.99 * mask.length;
  picture.trimap = isTrimap
    ? mask.map((value) => near(value) ?? UNKNOWN) : Uint8Array.from(trimapOfMask(mask, width, height));
  picture.mattes = [];
  show("trimap");
  say(isTrimap ? "Trimap opened." : "Trimap made of the mask; mend it with the brushes.");
}

function remember() {
  picture.history.push(picture.trimap.slice());
  if (picture.history.length > UNDO) picture.history.shift();
  $("undo").disabled = false;
}

function undo() {
  if (!picture?.history.length) return;
  picture.trimap = picture.history.pop();
  $("undo").disabled = !picture.history.length;
  show("trimap");
}

/** A round dab of the brush; a stroke is one every half radius. */
function dab(x, y) {
  const { width, height, trimap } = picture, r = Number($("radius").value);
  const value = Number(document.querySelector("[name=brush]:checked").value);
  for (let row = Math.max(0, Math.ceil(y - r)); row <= Math.min(height - 1, y + r); row++) {
    const half = Math.sqrt(r * r - (row - y) ** 2);
    const first = Math.max(0, Math.ceil(x - half)), last = Math.min(width - 1, Math.floor(x + half));
    if (last >= first) trimap.fill(value, row * width + first, row * width + last + 1);
  }
}

function stroke(x, y) {
  const steps = Math.max(1, Math.ceil(Math.hypot(x - brush.x, y - brush.y) / (Number($("radius").value) / 2)));
  for (let i = 1; i <= steps; i++) dab(brush.x + ((x - brush.x) * i) / steps, brush.y + ((y - brush.y) * i) / steps);
  Object.assign(brush, { x, y });
  cancelAnimationFrame(frame); // a picture is drawn once a frame, however many moves there are
  frame = requestAnimationFrame(draw);
}

async function runNetworks() {
  if (!picture || $("run").disabled) return;
  const { trimap, width, height, data } = picture;
  if (!trimap.includes(UNKNOWN)) throw new Error("No pixel is unknown; paint the border with Unknown.");
  if (!trimap.includes(FOREGROUND) || !trimap.includes(BACKGROUND))
    throw new Error("Mark some foreground and some background first.");
  const networks = [$("first").value, $("second").value].filter((name, i, all) => name && all.indexOf(name) === i);
  $("run").disabled = true;
  try {
    const mattes = [];
    for (const network of networks) {
      say(`Matting with ${network} ...`);
      const id = crypto.randomUUID();
      const done = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
      worker.postMessage({ id, network, backend: $("backend").value, image: data.data, trimap, width, height });
      mattes.push({ network, ...(await done) });
    }
    picture.mattes = mattes;
  } finally {
    $("run").disabled = false;
  }
  show($("view").value === "trimap" ? "cutout" : $("view").value);
  const told = await Promise.all(picture.mattes.map(async ({ network, milliseconds }) => {
    const { headers } = await fetch(`models/${network}.onnx`, { method: "HEAD" });
    return `${network} (${(headers.get("content-length") / 1e6).toFixed(1)} MB): ${Math.round(milliseconds)} ms`;
  }));
  say(`${told.join(", ")}.`);
}

/** RGBA bytes of a matte as the chosen view shows it. */
function viewOf({ matte, cutout }, view) {
  if (view !== "matte") return cutout;
  const grey = new Uint8ClampedArray(4 * matte.length);
  matte.forEach((value, i) => grey.set([value, value, value, 255], 4 * i));
  return grey;
}

function trimapView() {
  const { data, trimap } = picture, shown = new Uint8ClampedArray(data.data);
  const green = [30, 170, 80], red = [200, 30, 60];
  for (let i = 0; i < trimap.length; i++) {
    if (trimap[i] === UNKNOWN) continue;
    const tint = trimap[i] === FOREGROUND ? green : red;
    for (let c = 0; c < 3; c++) shown[4 * i + c] = (shown[4 * i + c] + tint[c]) / 2;
  }
  return shown;
}

function layer(rgba) {
  const { width, height } = picture, result = new OffscreenCanvas(width, height);
  result.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return result;
}

function draw() {
  if (!picture) return;
  const { width, height, mattes } = picture, view = mattes.length ? $("view").value : "trimap";
  context.clearRect(0, 0, width, height);
  if (view === "composite") {
    context.fillStyle = $("colour").value;
    context.fillRect(0, 0, width, height);
    if (backdrop) {
      const scale = Math.max(width / backdrop.width, height / backdrop.height);
      const [w, h] = [scale * backdrop.width, scale * backdrop.height];
      context.drawImage(backdrop, (width - w) / 2, (height - h) / 2, w, h);
    }
  }
  if (view === "trimap") context.drawImage(layer(trimapView()), 0, 0);
  else {
    const middle = mattes.length > 1 ? Math.round((width * Number($("split").value)) / 100) : width;
    const parts = [[0, middle], [middle, width]];
    mattes.forEach((one, i) => {
      const [left, right] = parts[i];
      if (right > left) context.drawImage(layer(viewOf(one, view)), left, 0, right - left, height, left, 0, right - left, height);
    });
    for (const [colour, half] of mattes.length > 1 ? [["black", 2], ["white", 1]] : []) {
      context.fillStyle = colour;
      context.fillRect(middle - half, 0, 2 * half, height);
    }
  }
  if (document.activeElement === canvas && view === "trimap") {
    context.beginPath();
    context.arc(brush.x, brush.y, Number($("radius").value), 0, 2 * Math.PI);
    context.stroke();
  }
}

function show(view) {
  $("view").value = view;
  $("split").disabled = picture.mattes.length < 2;
  $("save-matte").disabled = $("save-cutout").disabled = !picture.mattes.length;
  resize();
  draw();
}

function resize() {
  canvas.style.width = `min(${$("zoom").value}%, ${(picture.width * $("zoom").value) / 100}px)`;
}

async function download(kind) {
  const blob = await layer(viewOf(picture.mattes[0], kind)).convertToBlob({ type: "image/png" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${picture.name}_${kind}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const placeOf = (event) => {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
};

canvas.onpointerdown = (event) => {
  if (!picture) return;
  canvas.setPointerCapture(event.pointerId);
  remember();
  show("trimap");
  [brush.x, brush.y] = placeOf(event);
  brush.down = true;
  stroke(brush.x, brush.y);
};
canvas.onpointermove = (event) => { if (brush.down) stroke(...placeOf(event)); };
canvas.onpointerup = canvas.onpointercancel = () => { brush.down = false; };
canvas.onfocus = canvas.onblur = draw;
canvas.onkeydown = (event) => {
  const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
  if (!picture || !(step || event.key === " ")) return;
  event.preventDefault();
  if (step) {
    brush.x = Math.min(picture.width, Math.max(0, brush.x + step[0]));
    brush.y = Math.min(picture.height, Math.max(0, brush.y + step[1]));
    show("trimap");
  } else {
    remember();
    stroke(brush.x, brush.y);
  }
};

document.onkeydown = (event) => {
  if (event.target.matches("select, input[type=file], button")) return;
  const value = { f: FOREGROUND, b: BACKGROUND, u: UNKNOWN }[event.key.toLowerCase()];
  if (event.key === "Enter") attempt(runNetworks);
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  else if (value !== undefined && !event.ctrlKey && !event.metaKey) document.querySelector(`[name=brush][value="${value}"]`).checked = true;
};
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) attempt(() => (picture && event.shiftKey ? openMask(file) : openPhotograph(file)));
};
document.onpaste = (event) => {
  const [file] = event.clipboardData.files;
  if (file) attempt(() => openPhotograph(file));
};

const opened = (id, open) => {
  $(id).onchange = () => {
    const [file] = $(id).files;
    $(id).value = ""; // so that the same file can be opened again
    if (file) attempt(() => open(file));
  };
};
opened("photo", openPhotograph);
opened("mask", openMask);
opened("backdrop", async (file) => { backdrop = await bitmapOf(file); if (picture?.mattes.length) show("composite"); });
$("size").onchange = () => picture && attempt(() => openPhotograph(picture.file));
$("undo").onclick = undo;
$("run").onclick = () => attempt(runNetworks);
$("view").onchange = $("split").oninput = draw;
$("colour").oninput = () => { backdrop = null; draw(); };
$("zoom").oninput = () => picture && resize();
$("save-matte").onclick = () => attempt(() => download("matte"));
$("save-cutout").onclick = () => attempt(() => download("cutout"));
