// The main picture: depth, best bid and ask, trades, own orders, interruptions, over the time on the screen.

import { AXIS, GUTTER, ticks, timeTicks } from "./axis.js";
import { fixed } from "./format.js";
import { imageOf } from "./heatmap.js";

/** Return low and high price of the plot: those of the touch and some room, kept as long as they fit. */
export function priceRange(tiles, view, before) {
  let low = Infinity;
  let high = -Infinity;
  let step = 0;
  for (const tile of tiles) {
    const [first, last] = onScreen(tile, view);
    for (let column = first; column <= last; column += 1) {
      const [bid, ask] = [tile.bid_low[column], tile.ask_high[column]];
      if (bid < low) low = bid;
      if (ask < low) low = ask;
      if (ask > high) high = ask;
      if (bid > high) high = bid;
    }
    step = tile.step || step;
  }
  if (!(high >= low)) return before;
  const room = Math.max((high - low) * 0.3, step * 16);
  const fits = before && before.low <= low - room * 0.3 && before.high >= high + room * 0.3;
  if (fits && before.high - before.low < (high - low + 2 * room) * 1.8) return before;
  return { low: low - room, high: high + room };
}

/** Draw the picture. `scene` has view, tiles, range, cursor, colours, shades, scale, clock, own. */
export function drawChart(context, width, height, scene) {
  const plot = { width: width - GUTTER, height: height - AXIS };
  const { view, range, colours } = scene;
  const inside = { ...scene, colours: colours.depth };
  const x = (time) => ((time - view.start) / (view.end - view.start)) * plot.width;
  context.fillStyle = colours.depth.page;
  context.fillRect(0, 0, plot.width, plot.height);
  if (range) {
    const y = (price) => ((range.high - price) / (range.high - range.low)) * plot.height;
    context.save();
    context.beginPath();
    context.rect(0, 0, plot.width, plot.height);
    context.clip();
    for (const tile of scene.tiles) drawDepth(context, tile, inside, x, y);
    for (const tile of scene.tiles) drawUnknown(context, tile, inside, plot, x, y);
    for (const tile of scene.tiles) drawTouch(context, tile, inside, x, y);
    for (const tile of scene.tiles) drawTrades(context, tile, inside, x, y);
    for (const own of scene.own) drawOwn(context, own, inside, x, y);
    drawGaps(context, plot, inside, x);
    context.restore();
    drawPrices(context, plot, range, colours, y);
  }
  drawTimes(context, plot, scene, x);
  drawCursor(context, plot, inside, x);
}

function drawDepth(context, tile, { shades, scale }, x, y) {
  if (!tile.bins || !scale) return;
  const image = imageOf(tile, shades, scale);
  const top = y((tile.first_bin + tile.bins) * tile.step);
  const bottom = y(tile.first_bin * tile.step);
  context.imageSmoothingEnabled = false;
  context.drawImage(image, x(tile.start), top, x(tile.end) - x(tile.start), bottom - top);
}

/** Shade the prices beyond the levels that were read: nothing is drawn there, but something may have been. */
function drawUnknown(context, tile, { colours, view }, plot, x, y) {
  const width = (x(tile.end) - x(tile.start)) / tile.columns;
  context.fillStyle = colours.muted;
  context.globalAlpha = 0.25;
  eachRun(tile, view, tile.known_bid_low, tile.known_ask_high, (first, last) => {
    const [from, length] = [x(tile.start) + first * width, (last - first + 1) * width];
    const top = y(tile.known_ask_high[first]);
    const bottom = y(tile.known_bid_low[first]);
    if (top > 0) context.fillRect(from, 0, length, Math.min(top, plot.height));
    if (bottom < plot.height) context.fillRect(from, Math.max(0, bottom), length, plot.height);
  });
  context.globalAlpha = 1;
}

/** Return the columns of a tile that are on the screen, as first and last. */
export function onScreen(tile, view) {
  const width = (tile.end - tile.start) / tile.columns;
  const first = Math.max(0, Math.floor((view.start - tile.start) / width));
  return [first, Math.min(tile.columns - 1, Math.floor((view.end - tile.start) / width))];
}

/** Call with the first and last column of each run on the screen in which low and high stay the same. */
export function eachRun(tile, view, low, high, call) {
  let [first, last] = onScreen(tile, view);
  for (let column = first + 1; column <= last + 1; column += 1) {
    const stays = column <= last && Object.is(low[column], low[first]) && Object.is(high[column], high[first]);
    if (!stays) {
      if (first <= last) call(first, column - 1);
      first = column;
    }
  }
}

/** Draw best bid and ask: in each column the range between its extremes, on a ground that sets it off. */
function drawTouch(context, tile, { colours, view }, x, y) {
  const width = (x(tile.end) - x(tile.start)) / tile.columns;
  for (const [low, high, colour, room] of [
    [tile.bid_low, tile.bid_high, colours.page, 2.5],
    [tile.ask_low, tile.ask_high, colours.page, 2.5],
    [tile.bid_low, tile.bid_high, colours.bid, 1],
    [tile.ask_low, tile.ask_high, colours.ask, 1],
  ]) {
    context.fillStyle = colour;
    eachRun(tile, view, low, high, (first, last) => {
      if (Number.isNaN(low[first])) return;
      const top = y(high[first]) - room;
      const length = (last - first + 1) * width + 0.3;
      context.fillRect(x(tile.start) + first * width, top, length, y(low[first]) - top + room);
    });
  }
}

function drawTrades(context, tile, { colours, view, largestTrade }, x, y) {
  for (let place = 0; place < tile.trade_time.length; place += 1) {
    const time = tile.trade_time[place];
    if (time >= view.start && time <= view.end) {
      const radius = 1.5 + 6 * Math.sqrt(tile.trade_size[place] / largestTrade);
      context.beginPath();
      context.arc(x(time), y(tile.trade_price[place]), Math.min(radius, 9), 0, 7);
      context.fillStyle = tile.trade_is_buy[place] ? colours.bid : colours.ask;
      context.fill();
      context.strokeStyle = colours.page;
      context.lineWidth = 1;
      context.stroke();
    }
  }
}

/** Tell whether an order moved at once from where it rested before, so that its line goes on in a step. */
function movesTo(own, place) {
  return place > 0 && own.rest_rows[place] === 1 && own.rest_rows[place - 1] === 1
    && own.rest_number[place] === own.rest_number[place - 1] && own.rest_start[place] === own.rest_end[place - 1];
}

function drawOwn(context, own, { colours }, x, y) {
  context.strokeStyle = colours.own;
  context.fillStyle = colours.own;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let place = 0; place < own.rest_start.length; place += 1) {
    const [from, to] = [x(own.rest_start[place]), x(own.rest_end[place])];
    const [low, high] = [y(own.rest_low[place]), y(own.rest_high[place])];
    if (low !== high) context.rect(from, high, to - from, low - high); // many in a short time
    else {
      if (movesTo(own, place)) context.lineTo(from, low);
      else context.moveTo(from, low);
      context.lineTo(to, low);
    }
  }
  context.stroke();
  for (let place = 0; place < (own.fills ? own.fill_time.length : 0); place += 1) {
    const [at, level] = [x(own.fill_time[place]), y(own.fill_price[place])];
    const tip = own.fill_side[place] === "bid" ? -1 : 1; // up for a buy
    context.beginPath();
    context.moveTo(at, level);
    context.lineTo(at - 6, level - tip * 10);
    context.lineTo(at + 6, level - tip * 10);
    context.closePath();
    context.fill();
    context.strokeStyle = colours.page;
    context.stroke();
    context.strokeStyle = colours.own;
  }
}

/** Shade what no book is known of, and say why. */
export function drawGaps(context, plot, { tiles, colours, interrupted, view }, x, hasText = true) {
  context.fillStyle = colours.muted;
  context.globalAlpha = 0.25;
  for (const tile of tiles) {
    const width = (tile.end - tile.start) / tile.columns;
    const reached = Math.floor((tile.until - tile.start) / width);
    eachRun(tile, view, tile.bid_low, tile.ask_low, (first, last) => {
      const end = Math.min(last, reached) + 1;
      if (Number.isNaN(tile.bid_low[first]) && Number.isNaN(tile.ask_low[first]) && first < end) {
        const from = x(tile.start + first * width);
        context.fillRect(from, 0, x(tile.start + end * width) - from, plot.height);
      }
    });
  }
  context.globalAlpha = 1;
  context.strokeStyle = colours.ink;
  context.fillStyle = colours.ink;
  context.lineWidth = 1;
  let free = -Infinity;
  for (const [start, end, reason] of interrupted) {
    if (end < view.start || start > view.end) continue;
    for (const time of [start, end]) line(context, x(time), 0, x(time), plot.height, [2, 3]);
    const text = `interrupted ${((end - start) / 1e9).toLocaleString("en-US", { maximumFractionDigits: 1 })} s ${reason}`;
    const at = Math.max(2, Math.min(x(start) + 4, plot.width - context.measureText(text).width - 4));
    if (hasText && at > free) {
      label(context, text, at, 12, colours);
      free = at + context.measureText(text).width + 8;
    }
  }
}

function drawPrices(context, plot, range, colours, y) {
  const prices = ticks(range.low, range.high, plot.height / 48);
  const text = fixed(prices, 2);
  for (const price of prices) {
    context.globalAlpha = 0.35;
    context.strokeStyle = colours.muted;
    line(context, 0, y(price), plot.width, y(price), [1, 4]);
    context.globalAlpha = 1;
    context.fillStyle = colours.muted;
    context.textAlign = "left";
    context.fillText(text(price), plot.width + 5, Math.max(10, Math.min(y(price) + 4, plot.height - 2)));
  }
}

export function drawTimes(context, plot, { clock, view, colours }, x) {
  const { times, distance } = timeTicks(clock, view.start, view.end, plot.width / 95);
  context.fillStyle = colours.muted;
  context.textAlign = "center";
  for (const time of times) {
    const text = clock.tick(time, distance);
    const half = context.measureText(text).width / 2;
    if (x(time) > half && x(time) < plot.width - half) context.fillText(text, x(time), plot.height + 13);
  }
  context.textAlign = "left";
}

export function drawCursor(context, plot, { cursor, colours }, x) {
  context.strokeStyle = colours.ink;
  context.lineWidth = 1;
  const at = x(cursor);
  if (at >= 0 && at <= plot.width) line(context, at, 0, at, plot.height, []);
}

export function line(context, fromX, fromY, toX, toY, dashes) {
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
  context.setLineDash([]);
}

/** Draw text on a ground that makes it readable over anything. */
export function label(context, text, x, y, colours) {
  context.textAlign = "left";
  const { width } = context.measureText(text);
  context.globalAlpha = 0.85;
  context.fillStyle = colours.page;
  context.fillRect(x - 2, y - 10, width + 4, 14);
  context.globalAlpha = 1;
  context.fillStyle = colours.ink;
  context.fillText(text, x, y);
}
