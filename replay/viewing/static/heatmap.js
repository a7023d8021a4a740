// The depth of the book as images: one for each tile, a pixel for each cell.

const SHADES = 256;

/** The colours of sizes from none to the largest; the steps are of the logarithm. */
export class Shades {
  constructor(colours) {
    const stops = colours.heat.map(channels);
    this.table = new Uint32Array(SHADES);
    const bytes = new Uint8ClampedArray(this.table.buffer);
    for (let shade = 0; shade < SHADES; shade += 1) {
      const place = (shade / (SHADES - 1)) * (stops.length - 1);
      const low = Math.min(Math.floor(place), stops.length - 2);
      for (let channel = 0; channel < 3; channel += 1) {
        const [from, to] = [stops[low][channel], stops[low + 1][channel]];
        bytes[shade * 4 + channel] = from + (to - from) * (place - low);
      }
      bytes[shade * 4 + 3] = shade ? 255 : 0;
    }
  }
}

function channels(hex) {
  return [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16));
}

/** A size that few cells exceed: the end of the colours. */
export function largest(tile) {
  const sample = [];
  const every = Math.max(1, Math.floor(tile.cells.length / 4000));
  for (let place = 0; place < tile.cells.length; place += every) {
    if (tile.cells[place] > 0) sample.push(tile.cells[place]);
  }
  sample.sort((a, b) => a - b);
  return sample.length ? sample[Math.floor((sample.length - 1) * 0.99)] : 0;
}

/** Return the image of a tile, made once for its content, colours and scale. */
export function imageOf(tile, shades, scale) {
  const known = tile.image;
  if (known && known.shades === shades && known.scale === scale) return known.canvas;
  const { columns, bins, cells } = tile;
  const canvas = new OffscreenCanvas(Math.max(1, columns), Math.max(1, bins));
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const factor = (SHADES - 1) / Math.log1p(50);
  for (let column = 0; column < columns; column += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      const size = cells[column * bins + bin];
      if (size > 0) {
        const shade = Math.min(SHADES - 1, 1 + Math.floor(Math.log1p((50 * size) / scale) * factor));
        pixels[(bins - 1 - bin) * columns + column] = shades.table[shade];
      }
    }
  }
  context.putImageData(image, 0, 0);
  tile.image = { shades, scale, canvas };
  return canvas;
}
