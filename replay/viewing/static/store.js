// What the server has, asked when it is needed and kept as long as there is room.

const MOST_TILES = 24;
const MOST_BLOCKS = 96;
const BLOCK_ROWS = 1024; // in a full block
const AT_ONCE = 4;
const RETRY_MS = 2000; // after an error
const PATIENCE_MS = 500; // before what is asked for is given up for another place

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

/** A row of a table as an object; lists of numbers are typed arrays. */
function row(table, place = 0) {
  return Object.fromEntries(table.names.map((name) => [name, table.getChild(name).at(place)]));
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

  put(key, answer) {
    this.found.delete(key);
    this.found.set(key, answer);
    if (this.found.size > this.most) this.found.delete(this.found.keys().next().value);
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
        this.put(key, answer);
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

/** The pictures and ladders of one source, in tiles of half the length of the screen. */
export class Tiles {
  constructor(source, onChange) {
    Object.assign(this, { source, onChange });
    this.steps = new Map(); // the height of a bin, by span: that of its first tile
    this.found = new Map(); // by span and number, the oldest first
    this.asked = null; // the tiles that are on their way
    this.failed = { key: "", at: -Infinity };
    this.blocks = new Kept(MOST_BLOCKS, (tile, block, signal) => this.loadBlock(tile, block, signal), onChange);
    this.own = new Kept(MOST_TILES, (span, tile, lane, signal) => this.loadOwn(span, tile, lane, signal), onChange);
  }

  /** The tile of a span, or undefined if it is not known. */
  tile(span, number) {
    const key = `${span}/${number}`;
    const known = this.found.get(key);
    if (known) {
      this.found.delete(key);
      this.found.set(key, known);
    }
    return known;
  }

  /**
   * Ask for tiles, with the book at a moment, in one request: the server reads on from each to the next.
   * One request is on its way at a time. Tiles that are not needed yet make room for those that are, and these
   * for others if they take long: while somebody drags the mouse, some places on the way are shown.
   */
  ask(span, numbers, moment, isNeeded = true) {
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    const key = `${span}/${first}/${last}`;
    const now = performance.now();
    if (key === this.failed.key && now - this.failed.at < RETRY_MS) return;
    if (this.asked) {
      const { asked } = this;
      const isComing = asked.span === span && asked.first <= first && last <= asked.last;
      asked.isNeeded ||= isComing && isNeeded;
      if (isComing || !isNeeded) return;
      const patience = asked.isNeeded ? asked.at + PATIENCE_MS - now : 0;
      if (patience > 0) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.onChange(null), patience);
        return;
      }
      asked.controller.abort();
    }
    const asked = { span, first, last, isNeeded, at: now, controller: new AbortController() };
    this.asked = asked;
    this.load(asked, moment)
      .catch((error) => {
        if (error.name === "AbortError") return;
        this.failed = { key, at: performance.now() };
        return error;
      })
      .then((error) => {
        if (this.asked !== asked) return;
        this.asked = null;
        this.onChange(error ?? null);
      });
  }

  async load({ span, first, last, controller }, moment) {
    const step = this.steps.get(span) ?? 0;
    const extent = { source: this.source, start: span * first, end: span * (first + 1), step };
    const values = { ...extent, number: last - first + 1, ...moment };
    const table = await arrow("pictures", values, controller.signal);
    for (let place = 0; place < table.numRows; place += 1) {
      const number = first + place;
      const key = `${span}/${number}`;
      const tile = { ...row(table, place), values: { ...extent, start: span * number, end: span * (number + 1) }, key };
      if (tile.step > 0 && !this.steps.has(span)) this.steps.set(span, tile.step);
      if (tile.block >= 0) this.blocks.put(`${key}/${tile.block}`, ladders(tile, tile.until));
      this.found.delete(key);
      this.found.set(key, tile);
    }
    while (this.found.size > MOST_TILES) this.found.delete(this.found.keys().next().value);
  }

  async loadBlock(tile, block, signal) {
    return ladders(row(await arrow("block", { ...tile.values, block }, signal)), tile.until);
  }

  async loadOwn(span, tile, lane, signal) {
    const values = { source: this.source, start: span * tile, end: span * (tile + 1), lane };
    return row(await arrow("own", values, signal));
  }

  ownOf(span, tile, lane) {
    return this.own.get(`${span}/${tile}/${lane}`, span, tile, lane);
  }

  /** The block of a tile; that of one that grows is asked for again when it has grown. */
  block(tile, number) {
    const key = `${tile.key}/${number}`;
    const known = this.blocks.get(key, tile, number);
    if (known && known.until !== tile.until && known.seq.length < BLOCK_ROWS) this.blocks.renew(key, tile, number);
    return known;
  }

  clear() {
    this.asked?.controller.abort();
    this.asked = null;
    clearTimeout(this.timer);
    this.found.clear();
    this.blocks.clear();
    this.own.clear();
  }
}

/** Moments with their ladders, as the server sends them; `until` is the time that their tile had reached. */
function ladders(found, until) {
  const most = found.block_bid_price.length / Math.max(1, found.block_seq.length);
  const part = (name, place) => found[name].subarray(place * most, (place + 1) * most);
  const side = (name) => (place, count) => levels(part(`block_${name}_price`, place), part(`block_${name}_size`, place), count);
  return { until, seq: found.block_seq, time: found.block_time, bids: side("bid"), asks: side("ask") };
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
