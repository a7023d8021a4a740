// The page: begins with what the address says, and keeps up with the tape.

import { clock, parseOrigin, short } from "./format.js";
import { listen } from "./input.js";
import { draw, renewTiles } from "./scene.js";
import { element, goTo, goToEnd, hooks, redraw, S, setFollowing, state, stop, takeColours } from "./state.js";
import * as store from "./store.js";

const SPANS = [[1, "1 s"], [10, "10 s"], [30, "30 s"], [60, "1 min"], [300, "5 min"], [900, "15 min"], [3600, "1 h"]];
const MOST_ROWS = 60000; // the server refuses more rows in one tile
const LIVE_S = 10; // a last row that is younger tells of a recording
const DESCRIBE_MS = 5000;
const POLL_MS = { following: 400, watching: 3000 };

function report(error) {
  element("status").textContent = error ? error.message : state.note;
}

function changed(error) {
  report(error);
  redraw();
}

let pollTimer = 0;
let describedAt = 0;
let isStale = false; // whether rows came since the source was described

/** Take the interruptions and segments that a recording has added. */
async function describeAgain(source) {
  describedAt = performance.now();
  isStale = false;
  const found = await store.describe(source);
  if (source !== state.source || !state.info) return;
  state.info = found;
  state.segments = await store.segments(source);
  state.mids = await store.mids(source);
  titleOverview();
  if (state.isFollowing) goToEnd({ part: 0.95 });
}

function titleOverview() {
  const { interruptions } = state.info;
  const { is_done: isDone, is_whole: isWhole, mid } = state.mids ?? {};
  const coarse = isDone && !isWhole ? " around the moment and where a book is kept, about once an hour" : "";
  const price = isWhole && !mid.some((each) => each > 0)
    ? "no mid price, as no book has two sides" : `mid price in ${state.quote || "the quote currency"}${coarse}`;
  element("overview-title").textContent = `Whole tape: ${price}, `
    + `${interruptions.toLocaleString("en-US")} interruption${interruptions === 1 ? "" : "s"}`;
}

async function poll() {
  clearTimeout(pollTimer);
  if (document.hidden) return; // a tab that nobody sees asks for nothing
  try {
    const source = state.source;
    const found = await store.now(source);
    if (source !== state.source || !state.info?.origin) return;
    const hasGrown = found.last_seq !== state.info.last_seq;
    Object.assign(state.info, found, hasGrown ? { last_book: null } : {});
    if (hasGrown) {
      isStale = true;
      if (state.isFollowing) goToEnd({ part: 0.95 });
      renewTiles();
      redraw();
    }
    if (isStale && performance.now() - describedAt > DESCRIBE_MS) await describeAgain(source);
    report(null);
  } catch (error) {
    report(error);
  }
  clearTimeout(pollTimer);
  pollTimer = setTimeout(poll, state.isFollowing ? POLL_MS.following : POLL_MS.watching);
}

/** Read the prices of the whole tape, some at a time, while nothing else is asked. */
async function readSegments(source) {
  const isShown = () => source === state.source;
  let isDone = false;
  while (isShown() && !isDone) {
    await new Promise((done) => setTimeout(done, 120));
    if (!isShown() || !document.documentElement.dataset.ready || state.tiles.asked) continue;
    const [found, mids] = [await store.segments(source), await store.mids(source)];
    if (!isShown()) return;
    Object.assign(state, { segments: found, mids });
    isDone = mids.is_done && ![...found.is_read].includes(false);
    titleOverview();
    redraw();
    document.documentElement.dataset.strip = isDone ? "done" : "reading";
  }
}

/** Enable the buttons, which need something to act on. */
function enable(isEnabled) {
  for (const button of document.querySelectorAll("#controls button")) button.disabled = !isEnabled;
}

/** Show a source, at a row or a good place to begin. */
async function show(number, { seq = null, span = null, lane = 0 } = {}) {
  Object.assign(state, { source: number, info: null, segments: null, mids: null, range: null, scale: 0, seq: null });
  state.tiles?.clear();
  enable(false);
  let info = await store.describe(number);
  while (!info.origin && state.source === number) {
    report(new Error(`${info.product} has no row yet; waiting for the first`));
    await new Promise((done) => setTimeout(done, 1000));
    info = await store.describe(number);
  }
  if (state.source !== number) return; // another one was chosen meanwhile
  const slow = info.is_indexed ? "" : `without sidecars each seek reads the tape from its start: booktape index ${info.tape}`;
  state.note = [slow, info.missing].filter(Boolean).join(" · ");
  report(null);
  const [base, ...rest] = info.product.split("-");
  Object.assign(state, {
    info, base, quote: rest.join("-"), clock: clock(parseOrigin(info.origin)), tiles: new store.Tiles(number, changed),
  });
  for (const each of document.querySelectorAll(".quote")) each.textContent = state.quote ? ` (${state.quote})` : "";
  for (const each of document.querySelectorAll(".base")) each.textContent = ` (${base})`;
  element("title").textContent = `${info.product} on ${info.tape}${info.synthetic ? " (synthetic)" : ""}`;
  document.title = `${info.product} · booktape view`;
  titleOverview();
  enable(true);
  offerSpans(span);
  offerLanes(lane);
  if (seq !== null) {
    const found = await store.moment(number, seq).catch((error) => report(error));
    if (state.source !== number) return;
    goTo(found?.time ?? 0, { seq: found ? seq : null, part: 0.5 });
  } else if (info.age_s < LIVE_S) {
    setFollowing(true);
  } else {
    state.start = 0;
    if (info.begin !== null) goTo(info.begin, { part: 0.5 }); // the first order of the RUN
    else goTo(Math.min(state.span, info.last_time) / 2);
  }
  poll();
  readSegments(number).catch(report);
}

function offerSpans(wanted) {
  const { last_seq: rows, last_time, age_s: age } = state.info;
  const length = age < LIVE_S ? Infinity : last_time; // one that is being recorded will be longer
  const rate = rows / Math.max(last_time / S, 1);
  const offered = SPANS.filter(([seconds], place) => !place
    || (rate * seconds <= MOST_ROWS && SPANS[place - 1][0] * S < length));
  element("span").replaceChildren(...offered.map(([seconds, text]) => new Option(text, seconds)));
  const allowed = offered.map(([seconds]) => seconds);
  const chosen = allowed.includes(wanted) ? wanted : Math.max(allowed[0], ...allowed.filter((seconds) => seconds <= 60 && seconds * S <= length));
  element("span").value = chosen;
  state.span = chosen * S;
}

function offerLanes(lane) {
  const { lanes } = state.info;
  for (const id of ["lane-label", "own-key", "resting-section", "fills-section"]) element(id).hidden = !lanes.length;
  element("lane").replaceChildren(...lanes.map((text, place) => new Option(text, place)));
  state.lane = lanes.length ? Math.max(0, Math.min(lane, lanes.length - 1)) : -1;
  if (lanes.length) element("lane").value = state.lane;
}

async function main() {
  const found = await store.sources();
  state.threshold = found.threshold * 1e4;
  element("source").replaceChildren(...found.sources.map((name, place) => new Option(name, place)));
  takeColours();
  document.addEventListener("visibilitychange", () => state.info?.origin && poll());
  Object.assign(hooks, { draw, followed: poll });
  listen();
  element("source").addEventListener("change", () => {
    stop();
    state.name = element("source").selectedOptions[0].textContent;
    show(Number(element("source").value), { span: state.span / S }).catch(report);
  });
  const asked = new URLSearchParams(location.search);
  const number = Math.max(0, found.sources.indexOf(asked.get("product")));
  element("source").value = number;
  state.name = found.sources[number];
  const seq = /^\d+$/.test(asked.get("seq") ?? "") ? Number(asked.get("seq")) : null;
  await show(number, { seq, span: Number(asked.get("span")) || null, lane: Number(asked.get("lane")) || 0 });
}

main().catch(report);
