// What the page shows: one moment of one product, and the length of time around it.

import { readColours } from "./axis.js";
import { Shades } from "./heatmap.js";

export const S = 1e9; // nanoseconds in a second; all times are nanoseconds since the first row of the tape

export const element = (id) => document.getElementById(id);

/** What other modules do when the state has changed. */
export const hooks = { draw: () => {}, followed: () => {} };

export const state = {
  source: 0, name: "", note: "", info: null, tiles: null, segments: null, mids: null, clock: null, base: "", quote: "",
  cursor: 0, seq: null, // the seq of the row that is shown, if a row was chosen and not a time
  start: 0, span: 60 * S, // the screen
  range: null, scale: 0, lane: -1, threshold: 10,
  isPlaying: false, isFollowing: false, playedAt: 0,
  colours: null, shades: null,
};

let isDrawing = false;

/** Draw at the next frame of the browser, however often this is called before it. */
export function redraw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame((now) => {
    isDrawing = false;
    hooks.draw(now);
  });
}

/** Take the colours of the page, which follow the scheme of the system. */
export function takeColours() {
  state.colours = readColours();
  state.shades = new Shades(state.colours);
}

/** Show a time, and move the screen if it is not on it; `part` is where on the screen it then is. */
export function goTo(time, { seq = null, part = null } = {}) {
  if (!state.info?.origin) return;
  state.cursor = Math.max(0, Math.min(time, state.info.last_time));
  state.seq = seq;
  const place = (state.cursor - state.start) / state.span;
  if (part !== null || place < 0 || place > 1) {
    const wanted = state.cursor - state.span * (part ?? (place < 0 ? 0.9 : 0.1));
    state.start = Math.max(0, Math.min(wanted, state.info.last_time - state.span * 0.95));
  }
  redraw();
}

/** Seq and time of the last book: after the row that closes a tape none is known. Seq is null while a tape grows. */
export function lastBook() {
  return state.info.last_book ?? [null, state.info.last_time];
}

/** Show the last book. */
export function goToEnd(options = {}) {
  const [seq, time] = lastBook();
  goTo(time, { ...options, seq });
}

/** Show the next shorter or longer time around the moment. */
export function zoom(step) {
  const options = [...element("span").options];
  const place = options.findIndex((option) => Number(option.value) * S === state.span) + step;
  if (place < 0 || place >= options.length) return;
  element("span").value = options[place].value;
  takeSpan();
}

/** Show the length of time that the page offers as chosen; the moment stays where it is on the screen. */
export function takeSpan() {
  const part = (state.cursor - state.start) / state.span;
  state.span = Number(element("span").value) * S;
  Object.assign(state, { start: state.cursor - state.span * part, range: null, scale: 0 });
  redraw();
}

export function setPlaying(isPlaying) {
  state.isPlaying = isPlaying;
  state.playedAt = performance.now();
  element("play").textContent = isPlaying ? "Pause" : "Play";
  element("play").setAttribute("aria-pressed", isPlaying);
  if (isPlaying) setFollowing(false);
  redraw();
}

export function setFollowing(isFollowing) {
  state.isFollowing = isFollowing;
  element("follow").setAttribute("aria-pressed", isFollowing);
  if (isFollowing) {
    setPlaying(false);
    goToEnd({ part: 0.95 });
    hooks.followed();
  }
}

export function stop() {
  if (state.isPlaying) setPlaying(false);
  if (state.isFollowing) setFollowing(false);
}
