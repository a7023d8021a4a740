// Numbers and times as text. Times are nanoseconds since the first row of the tape.

/** Decimals that a number needs, at most 8. */
function decimalsOf(value) {
  const text = value.toFixed(8).replace(/0+$/, "");
  return text.length - text.indexOf(".") - 1;
}

/** Return a function that writes numbers with as many decimals as the longest of some has. */
export function fixed(values, least = 0) {
  let decimals = least;
  for (const value of values) if (Number.isFinite(value)) decimals = Math.max(decimals, decimalsOf(value));
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const format = new Intl.NumberFormat("en-US", options);
  return (value) => (Number.isFinite(value) ? format.format(value) : "–");
}

/** Four significant digits. */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** An ISO time with nanoseconds as milliseconds since 1970: whole ones, and the rest in nanoseconds. */
export function parseOrigin(iso) {
  const ms = Date.parse(`${iso.slice(0, 23)}Z`);
  return { ms, ns: Number(iso.slice(23, 29)) };
}

/** The clock of a tape: `full` for the moment, `tick` for an axis whose ticks are so far apart. */
export function clock(origin) {
  const date = (time) => new Date(origin.ms + Math.floor((time + origin.ns) / 1e6));
  const text = (time) => date(time).toISOString();
  const near = (time) => text(time + 5e5); // a tick is a sum of floats, and may lie just below its second
  return {
    ms: (time) => origin.ms + (time + origin.ns) / 1e6,
    full: (time) => `${text(time).slice(0, 23).replace("T", " ")} UTC`,
    time: (time) => text(time).slice(11, 23),
    tick: (time, distance) =>
      distance >= 864e11 ? near(time).slice(5, 10)
        : distance >= 6e10 ? near(time).slice(11, 16)
          : distance >= 1e9 ? near(time).slice(11, 19) : near(time).slice(11, 23),
  };
}
