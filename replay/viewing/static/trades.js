// The tape of trades: the last ones up to the moment, the latest first.

import { fixed } from "./format.js";
import { lastAtMost } from "./store.js";

const MOST = 16;

/** Show the trades of tiles, latest first, up to a time. */
export function showTrades(table, note, tiles, cursor, clock) {
  const found = [];
  for (const tile of [...tiles].sort((a, b) => b.start - a.start)) {
    for (let place = lastAtMost(tile.trade_time, cursor); place >= 0 && found.length < MOST; place -= 1) {
      found.push([tile.trade_time[place], tile.trade_price[place], tile.trade_size[place], tile.trade_is_buy[place]]);
    }
  }
  const reduced = tiles.filter((tile) => tile.trades > tile.trade_time.length);
  const [kept, all] = ["trade_time", null].map((name) =>
    reduced.reduce((sum, tile) => sum + (name ? tile[name].length : tile.trades), 0));
  note.textContent = reduced.length
    ? `the largest ${kept.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} trades on the screen`
    : found.length ? "" : "none on the screen up to this moment";
  const price = fixed(found.map((each) => each[1]), 2);
  const size = fixed(found.map((each) => each[2]));
  const body = table.tBodies[0];
  table.hidden = !found.length;
  while (body.rows.length < found.length) {
    const row = body.insertRow();
    for (let cell = 0; cell < 4; cell += 1) row.insertCell();
  }
  while (body.rows.length > found.length) body.deleteRow(-1);
  found.forEach(([time, at, amount, isBuy], place) => {
    const row = body.rows[place];
    row.className = isBuy ? "buy" : "sell";
    [clock.time(time), price(at), size(amount), isBuy ? "buy" : "sell"].forEach((text, cell) => {
      if (row.cells[cell].textContent !== text) row.cells[cell].textContent = text;
    });
  });
}
