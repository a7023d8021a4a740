// The tape of trades, and the own fills: the last ones up to the moment, the latest first.

import { fixed } from "./format.js";
import { lastAtMost } from "./store.js";

const MOST = 16;
const MOST_OWN = 6;

/** Show the trades of tiles up to a time. */
export function showTrades(table, note, tiles, cursor, clock) {
  const found = [];
  for (const tile of [...tiles].sort((a, b) => b.start - a.start)) {
    for (let place = lastAtMost(tile.trade_time, cursor); place >= 0 && found.length < MOST; place -= 1) {
      const isBuy = tile.trade_is_buy[place];
      found.push([tile.trade_time[place], tile.trade_price[place], tile.trade_size[place], isBuy ? "buy" : "sell"]);
    }
  }
  const drawn = tiles.reduce((sum, tile) => sum + tile.trade_time.length, 0);
  const all = tiles.reduce((sum, tile) => sum + tile.trades, 0);
  const unread = tiles.reduce((sum, tile) => sum + tile.trades_unread, 0);
  const notes = [];
  if (drawn < all) {
    notes.push(`the largest ${drawn.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} trades around the screen`);
  } else if (!found.length) {
    notes.push("none on the screen up to this moment");
  }
  if (unread) {
    notes.push(`trades of ${unread.toLocaleString("en-US")} frame${unread === 1 ? "" : "s"} around it could not be read`);
  }
  note.textContent = notes.join("; ");
  fillTimed(table, found, clock);
}

/** Show the own fills of tiles up to a time. */
export function showFills(table, note, owns, cursor, clock) {
  const found = [];
  for (const own of owns) {
    for (let place = own.fills ? lastAtMost(own.fill_time, cursor) : -1; place >= 0; place -= 1) {
      const side = own.fill_side[place] === "bid" ? "buy" : "sell";
      const how = [own.fill_price[place], own.fill_size[place], side, own.fill_liquidity[place]];
      found.push([own.fill_time[place], ...how]);
    }
  }
  found.sort((a, b) => b[0] - a[0]);
  note.textContent = found.length ? "" : "none on the screen up to this moment";
  fillTimed(table, found.slice(0, MOST_OWN), clock);
}

/** Show rows that begin with time, price, size and side. */
function fillTimed(table, found, clock) {
  const price = fixed(found.map((each) => each[1]), 2);
  const size = fixed(found.map((each) => each[2]));
  fill(table, found.map(([time, at, amount, side, ...rest]) => ({
    kind: side, cells: [clock.time(time), price(at), size(amount), side, ...rest],
  })));
}

/** Show rows of text, each with the name of its class; rows stay, and their text alone changes. */
export function fill(table, rows) {
  const body = table.tBodies[0];
  table.hidden = !rows.length;
  while (body.rows.length < rows.length) {
    const row = body.insertRow();
    for (const _ of rows[0].cells) row.insertCell();
  }
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach(({ kind, cells }, place) => {
    const row = body.rows[place];
    row.className = kind;
    cells.forEach((text, cell) => {
      if (row.cells[cell].textContent !== text) row.cells[cell].textContent = text;
    });
  });
}
