// Draws the moment: looks up what is known of it, and asks for what is needed.

import { Canvas, nice } from "./axis.js";
import { drawChart, priceRange } from "./chart.js";
import { short } from "./format.js";
import { largest } from "./heatmap.js";
import { Ladder } from "./ladder.js";
import { drawOverview } from "./overview.js";
import { restingAt, showResting } from "./resting.js";
import { drawSpread } from "./spread.js";
import { element, goTo, goToEnd, lastBook, redraw, S, setPlaying, state } from "./state.js";
import { lastAtMost } from "./store.js";
import { showFills, showTrades } from "./trades.js";

const LEVELS = 14; // of each side of the book

const canvases = Object.fromEntries(["overview", "chart", "spread"].map((id) => [id, new Canvas(element(id))]));
const ladder = new Ladder(element("ladder"), element("middle"));

/** Length of time of a tile: half a screen, so that what is on it is soon there. */
function length() {
  return state.span / 2;
}

function tileNumber(time) {
  return Math.floor(time / length());
}

function tileAt(number) {
  return state.tiles.tile(length(), number);
}

/** Ask for tiles, with the book at the moment. */
function ask(numbers, isNeeded = true) {
  const time = Math.floor(state.cursor);
  state.tiles.ask(length(), numbers, state.seq === null ? { time } : { time, seq: state.seq }, isNeeded);
}

/** Return the numbers of the tiles on the screen. */
function visibleTiles() {
  const found = [];
  for (let n = tileNumber(state.start); n <= tileNumber(state.start + state.span); n += 1) {
    if (n >= 0 && n <= tileNumber(state.info.last_time)) found.push(n);
  }
  return found;
}

/** Return tile, block and place of the row at the moment; null while they are asked for. */
export function lookUp() {
  const tile = tileAt(tileNumber(state.cursor));
  if (!tile) return null;
  const bySeq = state.seq !== null;
  const number = Math.max(0, lastAtMost(bySeq ? tile.blocks_seq : tile.blocks_time, bySeq ? state.seq : state.cursor));
  if (!tile.blocks_time.length) return { tile, number: 0, block: null, place: -1 };
  const block = state.tiles.block(tile, number);
  if (!block) return null;
  const place = lastAtMost(bySeq ? block.seq : block.time, bySeq ? state.seq : state.cursor);
  return { tile, number, block, place };
}

/** Draw the moment, and ask for what is missing. */
export function draw(now) {
  if (!state.info?.origin) return;
  if (state.isPlaying) play(now);
  const visible = visibleTiles();
  const missing = visible.filter((number) => !tileAt(number));
  if (missing.length) ask(missing);
  const tiles = visible.map(tileAt).filter(Boolean);
  const view = { start: state.start, end: state.start + state.span };
  for (const tile of tiles) {
    tile.largest ??= largest(tile);
    if (tile.largest > state.scale) state.scale = nice(tile.largest);
  }
  state.range = priceRange(tiles, view, state.range);
  const own = state.lane < 0 ? [] : visible.map((n) => state.tiles.ownOf(length(), n, state.lane)).filter(Boolean);
  const scene = {
    tiles, view, own, colours: state.colours, shades: state.shades, range: state.range, scale: state.scale, cursor: state.cursor,
    clock: state.clock, interrupted: state.info.interrupted, threshold: state.threshold, segments: state.segments,
    lastTime: state.info.last_time, largestTrade: largestTrade(tiles), mids: midsOf(tiles), strip: state.mids,
  };
  canvases.chart.draw((...where) => drawChart(...where, scene));
  canvases.spread.draw((...where) => {
    element("threshold").textContent = drawSpread(...where, scene);
  });
  canvases.overview.draw((...where) => drawOverview(...where, scene));
  const resting = restingAt(own, state.cursor);
  showMoment(new Set(resting.map((each) => each.price)));
  if (state.lane >= 0) {
    showResting(element("resting"), element("resting-note"), resting);
    showFills(element("fills"), element("fills-note"), own, state.cursor, state.clock);
  }
  showTrades(element("trades"), element("trades-note"), tiles, state.cursor, state.clock);
  element("scale").textContent = state.scale
    ? `colours up to ${short(state.scale)} ${state.base} in ${short(tiles[0]?.step ?? 0)} ${state.quote} of price`
    : "loading";
  if (tiles.length && !missing.length) {
    document.documentElement.dataset.ready = "true";
    clearTimeout(prefetchTimer);
    prefetchTimer = setTimeout(prefetch, state.isPlaying ? 0 : 250);
  }
  if (state.isPlaying) redraw();
}

function play(now) {
  const elapsed = Math.min(now - state.playedAt, 200) * 1e6;
  state.playedAt = now;
  const speed = Math.max(0, Number(element("speed").value)) || 0;
  const time = state.cursor + elapsed * speed;
  const place = (time - state.start) / state.span;
  if (place > 0.8) state.start = time - state.span * 0.8;
  if (time < lastBook()[1]) {
    goTo(time);
  } else {
    goToEnd();
    setPlaying(false);
  }
}

let prefetchTimer = 0;

/** Ask for the tile that is needed next. */
function prefetch() {
  if (!state.info?.origin) return;
  const next = tileNumber(state.start + state.span) + 1;
  const before = tileNumber(state.start) - 1;
  if (next <= tileNumber(state.info.last_time) && !tileAt(next)) ask([next], false);
  else if (before >= 0 && !state.isPlaying && !tileAt(before)) ask([before], false);
}

function largestTrade(tiles) {
  let found = 0;
  for (const tile of tiles) {
    tile.largestTrade ??= tile.trade_size.reduce((most, size) => Math.max(most, size), 0);
    found = Math.max(found, tile.largestTrade);
  }
  return found || 1;
}

/** Mid prices of the screen, so that the strip has a line before the whole tape is read. */
function midsOf(tiles) {
  const found = [];
  for (const tile of tiles) {
    for (let column = 0; column < tile.columns; column += 16) {
      const mid = (tile.bid_high[column] + tile.ask_low[column]) / 2;
      if (mid > 0) found.push([tile.start + ((tile.end - tile.start) * column) / tile.columns, mid]);
    }
  }
  return found;
}


function showMoment(own) {
  element("time").textContent = state.clock.full(state.cursor);
  const found = lookUp();
  const { dataset } = document.documentElement;
  if (!found) {
    ladder.show(null, state.quote, state.threshold, own);
    element("seq").textContent = "…";
    delete dataset.seq;
    return;
  }
  const { block, place } = found;
  const isKnown = block && place >= 0;
  const book = isKnown ? { bids: block.bids(place, LEVELS), asks: block.asks(place, LEVELS) } : { bids: [], asks: [] };
  const seq = isKnown ? block.seq[place] : -1;
  ladder.show(book, state.quote, state.threshold, own);
  element("seq").textContent = seq >= 0 ? seq.toLocaleString("en-US") : "–";
  dataset.seq = seq;
  keepAddress(seq);
}

let addressTimer = 0;

/** Put the moment into the address, not at each frame: browsers allow few changes a second. */
function keepAddress(seq) {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    const values = new URLSearchParams({ product: state.name, span: state.span / S });
    if (seq >= 0 && !state.isFollowing) values.set("seq", seq);
    if (state.lane > 0) values.set("lane", state.lane);
    history.replaceState(null, "", `?${values}`);
  }, 150);
}

/** Ask again for what is on the screen and may have grown, and for what has come to it. */
export function renewTiles() {
  const growing = visibleTiles().filter((number) => !tileAt(number)?.is_complete);
  if (growing.length && !state.tiles.asked) ask(growing);
}
