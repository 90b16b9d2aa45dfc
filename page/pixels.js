// Arithmetic on pictures: trimaps of masks, the network's input, foreground colours. Nothing of the page itself.

export const BACKGROUND = 0, UNKNOWN = 128, FOREGROUND = 255;
const MASK_WIDTH = 0.03; // of the square root of a mask's area, as matte.py has it

/** Squared Euclidean distance of each pixel to the nearest one where `inside` is 0 (Felzenszwalb and Huttenlocher, 2012). */
export function squaredDistance(inside, width, height) {
  const far = 1e12, result = new Float64Array(width * height);
  for (let i = 0; i < result.length; i++) result[i] = inside[i] ? far : 0;
  const longest = Math.max(width, height);
  const line = new Float64Array(longest), at = new Int32Array(longest), edges = new Float64Array(longest + 1);
  const pass = (start, step, count) => {
    for (let i = 0; i < count; i++) line[i] = result[start + i * step];
    let k = 0;
    at[0] = 0; edges[0] = -Infinity; edges[1] = Infinity;
    for (let q = 1; q < count; q++) {
      let s;
      for (;;) {
        s = (line[q] + q * q - line[at[k]] - at[k] * at[k]) / (2 * (q - at[k]));
        if (s > edges[k]) break;
        k--;
      }
      k++;
      at[k] = q; edges[k] = s; edges[k + 1] = Infinity;
    }
    k = 0;
    for (let q = 0; q < count; q++) {
      while (edges[k + 1] < q) k++;
      result[start + q * step] = (q - at[k]) ** 2 + line[at[k]];
    }
  };
  for (let x = 0; x < width; x++) pass(x, width, height);
  for (let y = 0; y < height; y++) pass(y * width, 1, width);
  return result;
}

/** The trimap of a mask (grey values): unknown is what is soft, or within a width of the edge. */
export function trimapOfMask(mask, width, height) {
  let area = 0;
  for (const value of mask) area += value > 127;
  if (area === 0 || area === mask.length) throw new Error(`The mask marks ${area ? "all" : "nothing"} of the picture.`);
  const reach = Math.max(3, Math.round(MASK_WIDTH * Math.sqrt(area))) ** 2 + 1e-6;
  const solid = mask.map((value) => (value >= 242 ? FOREGROUND : value <= 13 ? BACKGROUND : value));
  const toBackground = squaredDistance(solid.map((v) => v === FOREGROUND), width, height);
  const toForeground = squaredDistance(solid.map((v) => v === BACKGROUND), width, height);
  return solid.map((value, i) =>
    value === FOREGROUND && toBackground[i] > reach ? FOREGROUND
      : value === BACKGROUND && toForeground[i] > reach ? BACKGROUND : UNKNOWN);
}

/** Planes of floats in [0, 1], (3,H,W), of RGBA bytes. */
export function planes(rgba, count) {
  const result = new Float32Array(3 * count);
  for (let i = 0; i < count; i++)
    for (let c = 0; c < 3; c++) result[c * count + i] = rgba[4 * i + c] / 255;
  return result;
}

/** The mean over a window of 2 r + 1 pixels along rows and columns, fewer at the borders. */
function blur(source, width, height, r) {
  let from = source, to = new Float32Array(source.length);
  for (const [count, step, lines, stride] of [[width, 1, height, width], [height, width, width, 1]]) {
    for (let l = 0; l < lines; l++) {
      const start = l * stride;
      let sum = 0, n = 0;
      for (let i = 0; i < Math.min(r, count); i++) { sum += from[start + i * step]; n++; }
      for (let i = 0; i < count; i++) {
        if (i + r < count) { sum += from[start + (i + r) * step]; n++; }
        if (i - r - 1 >= 0) { sum -= from[start + (i - r - 1) * step]; n--; }
        to[start + i * step] = sum / n;
      }
    }
    from = to; to = new Float32Array(source.length);
  }
  return from;
}

/**
 * RGBA with the foreground's own colours, so that no halo of the old background stays: blur fusion, twice
 * (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021).
 */
export function cutOut(rgba, matte, width, height) {
  const count = width * height, alpha = Float32Array.from(matte, (value) => value / 255);
  const result = new Uint8ClampedArray(4 * count);
  for (let c = 0; c < 3; c++) {
    const image = new Float32Array(count);
    for (let i = 0; i < count; i++) image[i] = rgba[4 * i + c] / 255;
    let front = image, back = image;
    for (const r of [45, 3]) {
      const weighted = (x, w) => {
        const sums = blur(x.map((value, i) => value * w(i)), width, height, r);
        const weights = blur(alpha.map((_, i) => w(i)), width, height, r);
        return sums.map((value, i) => value / (weights[i] + 1e-5));
      };
      const meanFront = weighted(front, (i) => alpha[i]), meanBack = weighted(back, (i) => 1 - alpha[i]);
      front = image.map((value, i) => {
        const a = alpha[i];
        return Math.min(1, Math.max(0, meanFront[i] + a * (value - a * meanFront[i] - (1 - a) * meanBack[i])));
      });
      back = meanBack;
    }
    for (let i = 0; i < count; i++) result[4 * i + c] = Math.round(255 * front[i]);
  }
  for (let i = 0; i < count; i++) result[4 * i + 3] = matte[i];
  return result;
}
