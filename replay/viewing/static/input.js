// Mouse, keys and buttons.

import { GUTTER } from "./axis.js";
import { overviewTime } from "./overview.js";
import { lookUp } from "./scene.js";
import { element, goTo, goToEnd, redraw, S, setFollowing, setPlaying, state, stop, takeColours, takeSpan, zoom } from "./state.js";

/** Show the previous or next change of the book. */
function stepRow(direction) {
  stop();
  const found = lookUp();
  if (!found) return;
  const { tile, number, block, place } = found;
  const next = place + direction;
  if (next >= 0 && next < block.time.length && !(number === 0 && next === 0)) {
    goTo(block.time[next], { seq: block.seq[next] });
  } else if (direction > 0) {
    const time = number + 1 < tile.blocks_time.length ? tile.blocks_time[number + 1] : tile.end;
    if (time <= state.info.last_time) goTo(time);
  } else {
    goTo(number > 0 ? tile.blocks_time[number] - 1 : tile.start - 1);
  }
}

/** Let a drag on a canvas choose the moment, and the wheel move and zoom. */
function scrub(canvas) {
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    stop();
    goTo(state.start + (state.span * (event.clientX - box.left)) / (box.width - GUTTER));
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!state.info?.origin || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    at(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) at(event);
  });
  canvas.addEventListener("wheel", (event) => {
    if (!state.info?.origin) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const distance = Math.sign(event.deltaX || event.deltaY) * state.span * 0.1;
      state.start += distance;
      goTo(state.cursor + distance);
    } else {
      zoom(Math.sign(event.deltaY));
    }
  }, { passive: false });
}

const KEYS = {
  ArrowLeft: (event) => (event.shiftKey ? (stop(), goTo(state.cursor - S)) : stepRow(-1)),
  ArrowRight: (event) => (event.shiftKey ? (stop(), goTo(state.cursor + S)) : stepRow(1)),
  PageUp: () => (stop(), goTo(state.cursor - state.span)),
  PageDown: () => (stop(), goTo(state.cursor + state.span)),
  Home: () => (stop(), goTo(0)),
  End: () => (stop(), goToEnd()),
  " ": () => setPlaying(!state.isPlaying),
  "+": () => zoom(-1),
  "-": () => zoom(1),
};

/** Listen to mouse, keys and buttons. */
export function listen() {
  scrub(element("chart"));
  scrub(element("spread"));
  const overview = element("overview");
  const seek = (event) => {
    if (!state.info?.origin) return;
    stop();
    goTo(overviewTime(event, overview, state.info.last_time), { part: 0.5 });
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    seek(event);
  });
  overview.addEventListener("pointermove", (event) => overview.hasPointerCapture(event.pointerId) && seek(event));
  document.addEventListener("keydown", (event) => {
    const { tagName } = event.target;
    const isTyping = tagName === "INPUT" || tagName === "SELECT" || (tagName === "BUTTON" && event.key === " ");
    if (!state.info?.origin || isTyping || event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key](event);
  });
  element("controls").addEventListener("submit", (event) => event.preventDefault());
  element("play").addEventListener("click", () => setPlaying(!state.isPlaying));
  element("back").addEventListener("click", () => stepRow(-1));
  element("forward").addEventListener("click", () => stepRow(1));
  element("follow").addEventListener("click", () => setFollowing(!state.isFollowing));
  element("span").addEventListener("change", takeSpan);
  element("lane").addEventListener("change", () => {
    state.lane = Number(element("lane").value);
    redraw();
  });
  window.addEventListener("resize", redraw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    takeColours();
    redraw();
  });
}
