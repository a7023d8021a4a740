// The book at the moment: asks above, bids below, sizes as bars.

import { fixed, short } from "./format.js";

/** Keeps the rows of the two sides, and changes their text only. */
export class Ladder {
  constructor(table, middle) {
    this.table = table;
    this.middle = middle;
    this.sides = { asks: table.querySelector(".asks"), bids: table.querySelector(".bids") };
  }

  /**
   * Show the levels of both sides, best first; null while they are asked for.
   * Levels are marked at which an own order rests: `own` holds their prices.
   */
  show(book, quote, threshold, own) {
    this.table.classList.toggle("waiting", book === null);
    if (book === null) return;
    const { bids, asks } = book;
    const levels = [...bids, ...asks];
    const price = fixed(levels.map((level) => level.price), 2);
    const size = fixed(levels.map((level) => level.size));
    const total = Math.max(...[bids, asks].map((side) => side.reduce((sum, level) => sum + level.size, 0)), 1e-12);
    this.fill(this.sides.asks, asks, price, size, total, own, true);
    this.fill(this.sides.bids, bids, price, size, total, own, false);
    if (!bids.length || !asks.length) {
      this.middle.textContent = levels.length ? "one side is empty" : "no book is known";
      return;
    }
    const spread = asks[0].price - bids[0].price;
    const bps = (spread / asks[0].price) * 1e4;
    const above = bps > threshold ? ", above the threshold" : "";
    this.middle.textContent = `spread ${fixed([Number(spread.toFixed(8))], 2)(spread)} ${quote} = ${short(bps)} bps${above}`;
  }

  fill(body, side, price, size, total, own, isReversed) {
    while (body.rows.length < side.length) {
      const row = body.insertRow();
      for (let cell = 0; cell < 3; cell += 1) row.insertCell();
    }
    while (body.rows.length > side.length) body.deleteRow(-1);
    let sum = 0;
    side.forEach((level, place) => {
      sum += level.size;
      const row = body.rows[isReversed ? side.length - 1 - place : place];
      [price(level.price), size(level.size), size(sum)].forEach((text, cell) => {
        if (row.cells[cell].textContent !== text) row.cells[cell].textContent = text;
      });
      row.classList.toggle("own", own.has(level.price));
      row.style.setProperty("--part", `${((100 * sum) / total).toFixed(1)}%`);
    });
  }
}
