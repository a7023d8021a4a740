// The whole tape in one strip: mid price, interruptions, and what is on the screen.

import { AXIS, GUTTER } from "./axis.js";
import { drawTimes, line } from "./chart.js";
import { fixed } from "./format.js";

export function overviewTime(event, element, lastTime) {
  const box = element.getBoundingClientRect();
  const part = (event.clientX - box.left) / (box.width - GUTTER);
  return Math.max(0, Math.min(1, part)) * lastTime;
}

export function drawOverview(context, width, height, scene) {
  const plot = { width: width - GUTTER, height: height - AXIS };
  const { segments, colours, interrupted, lastTime, view, cursor } = scene;
  const x = (time) => (time / Math.max(1, lastTime)) * plot.width;
  context.fillStyle = colours.muted;
  for (const [start, end] of interrupted) {
    context.globalAlpha = 0.5;
    context.fillRect(x(start), 0, Math.max(1.5, x(end) - x(start)), plot.height);
  }
  context.globalAlpha = 0.18;
  context.fillStyle = colours.link;
  const end = Math.min(plot.width, x(view.end)); // the screen may go on behind the last row
  context.fillRect(Math.min(x(view.start), end - 3), 0, Math.max(3, end - x(view.start)), plot.height);
  context.globalAlpha = 1;
  const points = scene.strip?.is_whole ? [] : [...scene.mids, ...interrupted.map(([start]) => [start, NaN])];
  scene.strip?.mid.forEach((mid, place) => points.push([scene.strip.time[place], mid]));
  if (segments) {
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    for (const time of segments.time) line(context, x(time), plot.height - 5, x(time), plot.height, []);
    segments.mid.forEach((mid, place) => mid > 0 && !scene.strip?.is_whole && points.push([segments.time[place], mid]));
  }
  points.sort((a, b) => a[0] - b[0]);
  if (points.length) drawMids(context, plot, points, colours, x);
  context.strokeStyle = colours.ink;
  line(context, x(cursor), 0, x(cursor), plot.height, []);
  drawTimes(context, plot, { ...scene, view: { start: 0, end: Math.max(1, lastTime) } }, x);
}

function drawMids(context, plot, points, colours, x) {
  const mids = points.map(([, mid]) => mid).filter((mid) => mid > 0);
  if (!mids.length) return;
  const [low, high] = [Math.min(...mids), Math.max(...mids)];
  const y = (mid) => (high > low ? ((high - mid) / (high - low)) * (plot.height - 12) + 6 : plot.height / 2);
  context.strokeStyle = colours.link;
  context.lineWidth = 1.5;
  context.beginPath();
  let isDrawn = false;
  for (const [time, mid] of points) {
    if (mid > 0 && !isDrawn) context.moveTo(x(time) - 0.5, y(mid)); // a dot, if none follows
    if (mid > 0) context.lineTo(x(time), y(mid));
    isDrawn = mid > 0; // no line across an interruption
  }
  context.stroke();
  const text = fixed([low, high].map((mid) => Number(mid.toPrecision(7))), 2);
  context.fillStyle = colours.muted;
  context.textAlign = "left";
  context.fillText(text(high), plot.width + 5, 11);
  if (high > low) context.fillText(text(low), plot.width + 5, plot.height - 1);
}
