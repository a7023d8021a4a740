// The own orders that rest at the moment, with what is ahead of them.

import { fixed, short } from "./format.js";
import { fill } from "./trades.js";

/** Return the orders that rest at a time; of a box of many nobody can tell. */
export function restingAt(owns, time) {
  const found = new Map();
  for (const own of owns) {
    for (let place = 0; place < own.rest_start.length; place += 1) {
      if (own.rest_rows[place] === 1 && own.rest_start[place] <= time && time < own.rest_end[place]) {
        found.set(own.rest_number[place], {
          price: own.rest_low[place], size: own.rest_size[place], side: own.rest_side[place] ? "ask" : "bid",
          first: own.rest_share[place], share: own.rest_share_until[place], back: own.rest_back_until[place],
        });
      }
    }
  }
  return [...found.values()].sort((a, b) => b.price - a.price);
}

/** Show them, the highest price first. */
export function showResting(table, note, resting) {
  const price = fixed(resting.map((each) => each.price), 2);
  const size = fixed(resting.map((each) => each.size));
  note.textContent = resting.length ? "" : "none at this moment";
  fill(table, resting.map((each) => ({
    kind: each.side === "bid" ? "buy" : "sell",
    cells: [price(each.price), size(each.size), each.side, short(each.first), last(each)],
  })));
}

function last({ share, back }) {
  if (Number.isNaN(share)) return "–";
  return share === back ? short(share) : `${short(share)} to ${short(back)}`;
}
