// What the server has, asked when it is needed and kept as long as there is room.

const MOST_TILES = 24;
const MOST_BLOCKS = 96;
const BLOCK_ROWS = 1024; // in a full block
const AT_ONCE = 4;
const RETRY_MS = 2000; // after an error

/** An answer of the server that is an error; its message is for people. */
export class Refused extends Error {}

async function ask(name, values, signal) {
  const url = `${name}?${new URLSearchParams(values)}`;
  let answer;
  try {
    answer = await fetch(url, { signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("booktape view does not answer: it was stopped, or is busy");
  }
  if (answer.ok) return answer;
  if (answer.status === 403) throw new Refused("the address has another token: open the one that booktape printed");
  const found = await answer.json().catch(() => ({}));
  throw new Refused(found.error ?? `the server answered ${answer.status}`);
}

async function json(name, values) {
  return (await ask(name, values)).json();
}

async function arrow(name, values, signal) {
  const content = await (await ask(name, values, signal)).arrayBuffer();
  return globalThis.fl.tableFromIPC(new Uint8Array(content));
}

/** The only row of a table as an object; lists of numbers are typed arrays. */
function row(table) {
  return Object.fromEntries(table.names.map((name) => [name, table.getChild(name).at(0)]));
}

export const sources = () => json("sources", {});
export const describe = (source) => json("source", { source });
export const now = (source) => json("now", { source });
export const moment = (source, seq) => json("moment", { source, seq });

export async function segments(source) {
  const table = await arrow("segments", { source });
  return Object.fromEntries(table.names.map((name) => [name, table.getChild(name).toArray()]));
}

export const mids = async (source) => row(await arrow("mids", { source }));

/** Answers by key, the oldest forgotten first; each is asked for once at a time. */
class Kept {
  constructor(most, load, onChange) {
    Object.assign(this, { most, load, onChange, found: new Map(), asked: new Map(), failed: new Map() });
  }

  /** Return what is known by now, and ask for it if it is not, or if it is to be renewed. */
  get(key, ...values) {
    const known = this.found.get(key);
    if (known !== undefined) {
      this.found.delete(key);
      this.found.set(key, known);
    }
    const isWaiting = performance.now() - (this.failed.get(key) ?? -Infinity) < RETRY_MS;
    if (known === undefined && !isWaiting) this.renew(key, ...values);
    return known;
  }

  /** Ask again; what is known stays until the answer is there. */
  renew(key, ...values) {
    if (this.asked.has(key)) return;
    if (this.asked.size >= AT_ONCE) {
      const [oldest, controller] = this.asked.entries().next().value;
      controller.abort();
      this.asked.delete(oldest);
    }
    const controller = new AbortController();
    this.asked.set(key, controller);
    this.load(...values, controller.signal)
      .then((answer) => {
        this.found.delete(key);
        this.found.set(key, answer);
        if (this.found.size > this.most) this.found.delete(this.found.keys().next().value);
        this.onChange(null);
      })
      .catch((error) => {
        if (error.name === "AbortError") return;
        this.failed.set(key, performance.now());
        setTimeout(() => this.failed.delete(key), RETRY_MS);
        this.onChange(error);
      })
      .finally(() => {
        if (this.asked.get(key) === controller) this.asked.delete(key);
      });
  }

  clear() {
    for (const controller of this.asked.values()) controller.abort();
    this.asked.clear();
    this.found.clear();
  }
}

/** The pictures and ladders of one source, in tiles of the length of the screen. */
export class Tiles {
  constructor(source, onChange) {
    this.source = source;
    this.steps = new Map(); // the height of a bin, by span: that of its first tile
    this.tiles = new Kept(MOST_TILES, (span, tile, signal) => this.loadTile(span, tile, signal), onChange);
    this.blocks = new Kept(MOST_BLOCKS, (tile, block, signal) => this.loadBlock(tile, block, signal), onChange);
    this.own = new Kept(MOST_TILES, (span, tile, lane, signal) => this.loadOwn(span, tile, lane, signal), onChange);
  }

  values(span, tile) {
    return { source: this.source, start: span * tile, end: span * (tile + 1) };
  }

  async loadTile(span, tile, signal) {
    const step = this.steps.get(span) ?? 0;
    const values = { ...this.values(span, tile), step };
    const found = row(await arrow("picture", values, signal));
    if (found.step > 0 && !this.steps.has(span)) this.steps.set(span, found.step);
    return { ...found, values, key: `${span}/${tile}` };
  }

  async loadBlock(tile, block, signal) {
    const table = await arrow("block", { ...tile.values, block }, signal);
    const column = (name) => table.getChild(name);
    return {
      until: tile.until,
      seq: column("seq").toArray(),
      time: column("time").toArray(),
      bids: (place, most) => levels(column("bid_price").at(place), column("bid_size").at(place), most),
      asks: (place, most) => levels(column("ask_price").at(place), column("ask_size").at(place), most),
    };
  }

  async loadOwn(span, tile, lane, signal) {
    return row(await arrow("own", { ...this.values(span, tile), lane }, signal));
  }

  /** The tile of a span, or undefined while it is asked for. */
  tile(span, tile) {
    // The first tile of a span decides the height of the bins of all others.
    if (!this.steps.has(span) && this.tiles.asked.size && !this.tiles.asked.has(`${span}/${tile}`)) return undefined;
    return this.tiles.get(`${span}/${tile}`, span, tile);
  }

  ownOf(span, tile, lane) {
    return this.own.get(`${span}/${tile}/${lane}`, span, tile, lane);
  }

  /** Ask again for a tile to which rows may have been added. */
  renew(span, tile) {
    this.tiles.renew(`${span}/${tile}`, span, tile);
  }

  /** The block of a tile; that of one that grows is asked for again when it has grown. */
  block(tile, number) {
    const key = `${tile.key}/${number}`;
    const known = this.blocks.get(key, tile, number);
    if (known && known.until !== tile.until && known.seq.length < BLOCK_ROWS) this.blocks.renew(key, tile, number);
    return known;
  }

  clear() {
    this.tiles.clear();
    this.blocks.clear();
    this.own.clear();
  }
}

/** The first levels of one side, best first. */
function levels(prices, sizes, most) {
  const found = [];
  for (let place = 0; place < Math.min(prices.length, most) && Number.isFinite(prices[place]); place += 1) {
    found.push({ price: prices[place], size: sizes[place] });
  }
  return found;
}

/** The number of the last value that is not above a limit, in ascending values; -1 if there is none. */
export function lastAtMost(values, limit) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
