// Ticks of axes, and canvases whose pixels are those of the screen.

export const GUTTER = 76; // pixels right of the plots, for the labels of their scales
export const AXIS = 18; // pixels below the plots, for the times

/** The least of 1, 2 and 5 times the powers of ten that is not below a value. */
export function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((found) => found >= value * 0.999999);
}

/** Values at a distance from each other, from low to high, about `most` of them. */
export function ticks(low, high, most) {
  if (!(high > low)) return [];
  const distance = nice((high - low) / Math.max(1, most));
  const found = [];
  for (let n = Math.ceil(low / distance); n * distance <= high; n += 1) found.push(n * distance);
  return found;
}

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900,
  1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 2592000];

/** Times for an axis, on whole seconds, minutes or hours of UTC, and their distance in nanoseconds. */
export function timeTicks(clock, low, high, most) {
  const wanted = (high - low) / 1e9 / Math.max(1, most);
  const distance = (SECONDS.find((each) => each >= wanted) ?? 31536000) * 1000;
  const from = clock.ms(low);
  const found = [];
  for (let ms = Math.ceil(from / distance) * distance; ms <= clock.ms(high); ms += distance) {
    found.push(low + (ms - from) * 1e6);
  }
  return { times: found, distance: distance * 1e6 };
}

/** A canvas that is as sharp as the screen: `draw` gets a context in CSS pixels, and the size. */
export class Canvas {
  constructor(element) {
    this.element = element;
    this.context = element.getContext("2d");
  }

  draw(paint) {
    const ratio = window.devicePixelRatio || 1;
    const width = this.element.clientWidth;
    const height = this.element.clientHeight;
    if (this.element.width !== Math.round(width * ratio) || this.element.height !== Math.round(height * ratio)) {
      this.element.width = Math.round(width * ratio);
      this.element.height = Math.round(height * ratio);
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.context.font = "11px system-ui, sans-serif";
    paint(this.context, width, height);
  }
}

/** The colours of the page, by the names of its CSS variables. */
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["page", "panel", "ink", "muted", "line", "link", "bid", "ask"];
  const colours = Object.fromEntries(names.map((name) => [name, value(name)]));
  // The depth is on a dark ground in both schemes.
  const [ground, over] = [value("nothing"), value("over-heat")];
  const depth = { page: ground, ink: over, muted: over, bid: value("blue"), ask: value("orange"), own: value("violet") };
  return { ...colours, depth, heat: [0, 1, 2, 3, 4, 5].map((place) => value(`heat-${place}`)) };
}
