// The spread over the time on the screen, and the threshold.

import { AXIS, GUTTER, ticks } from "./axis.js";
import { drawCursor, drawGaps, drawTimes, eachRun, label, line, onScreen } from "./chart.js";
import { short } from "./format.js";

/** Return why the screen has no spread; an empty text if it has one, or is not there yet. */
function missing(tiles, view) {
  let hasSide = false;
  let hasColumn = false;
  for (const tile of tiles) {
    const [first, last] = onScreen(tile, view);
    for (let column = first; column <= last; column += 1) {
      if (!Number.isNaN(tile.spread_low[column])) return "";
      hasColumn = true;
      hasSide ||= tile.bid_low[column] > 0 || tile.ask_low[column] > 0;
    }
  }
  if (!hasColumn) return "";
  return hasSide ? "no spread: one side of the book is empty" : "no spread: no book is known";
}

/** Draw the spread in bps, in each column the range between its extremes; return where the threshold is, in words. */
export function drawSpread(context, width, height, scene) {
  const plot = { width: width - GUTTER, height: height - AXIS };
  const { view, colours, threshold } = scene;
  const x = (time) => ((time - view.start) / (view.end - view.start)) * plot.width;
  let low = 0;
  let high = 0;
  for (const tile of scene.tiles) {
    const [first, last] = onScreen(tile, view);
    for (let column = first; column <= last; column += 1) {
      high = Math.max(high, (tile.spread_high[column] || 0) * 1e4);
      low = Math.min(low, (tile.spread_low[column] || 0) * 1e4);
    }
  }
  const top = Math.max(high * 1.15, high > threshold * 0.3 ? threshold * 1.15 : 0) || threshold * 1.15 || 1;
  const y = (bps) => ((top - bps) / (top - low)) * (plot.height - 4) + 2;
  context.save();
  context.beginPath();
  context.rect(0, 0, plot.width, plot.height);
  context.clip();
  for (const tile of scene.tiles) {
    const size = (x(tile.end) - x(tile.start)) / tile.columns;
    eachRun(tile, view, tile.spread_low, tile.spread_high, (first, last) => {
      const [from, to] = [tile.spread_low[first] * 1e4, tile.spread_high[first] * 1e4];
      if (Number.isNaN(from)) return;
      context.fillStyle = to > threshold ? colours.ask : colours.link;
      const length = (last - first + 1) * size + 0.3;
      context.fillRect(x(tile.start) + first * size, y(to) - 0.75, length, y(from) - y(to) + 1.5);
    });
  }
  drawGaps(context, plot, { ...scene, interrupted: [] }, x, false);
  context.strokeStyle = colours.ink;
  if (threshold <= top) line(context, 0, y(threshold), plot.width, y(threshold), [6, 4]);
  const reason = missing(scene.tiles, view);
  if (reason) label(context, reason, 4, plot.height - 6, colours);
  context.restore();
  context.fillStyle = colours.muted;
  for (const bps of ticks(low, top, 3)) {
    context.fillText(`${short(bps)} bps`, plot.width + 5, Math.max(9, Math.min(y(bps) + 4, plot.height)));
  }
  drawTimes(context, plot, scene, x);
  drawCursor(context, plot, scene, x);
  const named = `the threshold, ${short(threshold)} bps`;
  return threshold <= top ? `the dashed line is ${named}` : `${named}, is above the scale`;
}
