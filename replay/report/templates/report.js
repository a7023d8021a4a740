"use strict";
(async function () {
  if (!window.DecompressionStream) {
    document.getElementById("no-figures").hidden = false;
    return;
  }
  const report = await unpacked(document.getElementById("report-data").textContent);
  const config = { displayModeBar: false, displaylogo: false, responsive: true, doubleClick: "reset" };
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const drawn = new Set();
  const full = {};  // by plot, the whole range of time

  // Base64 of gzip of JSON, see render.py.
  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), function (letter) { return letter.charCodeAt(0); });
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  const NUMBERS = ",.8~r";  // 1,200 and 0.0000008, where Plotly would write 1200 and 8e-7

  function isNarrow() { return window.innerWidth < 640; }

  function styled(layout, data) {
    const font = { family: "system-ui, sans-serif", size: 12, color: "#7d8894" };
    const axis = { automargin: true, fixedrange: touch, gridcolor: "#7d8894", zerolinecolor: "#7d8894" };
    const legend = { orientation: "h", yanchor: "bottom", y: 1.01, x: 0 };
    // On a phone plotly would put one name on a line: two short ones share it.
    const isShort = function (trace) { return !trace.legendgroup && (trace.name || "").length <= 13; };
    if (isNarrow() && data.every(isShort)) Object.assign(legend, { entrywidth: 0.5, entrywidthmode: "fraction" });
    const axes = {};
    Object.keys(layout).filter(function (key) { return /^[xy]axis/.test(key); }).forEach(function (key) {
      const numbers = /date|category/.test(layout[key].type) ? {} : { tickformat: NUMBERS };
      axes[key] = Object.assign(numbers, axis, layout[key]);
      if (isNarrow() && axes[key].type === "date") axes[key].nticks = 4;
    });
    // On a phone the names of lines stand on them: beside the figure they take a third of its width.
    const notes = (layout.annotations || []).map(function (note) {
      return isNarrow() ? Object.assign({}, note, { xanchor: "right", yanchor: "bottom" }) : note;
    });
    const right = isNarrow() ? { r: 16 } : {};
    return Object.assign({ plot_bgcolor: "rgba(0,0,0,0)" }, layout, {
      annotations: notes,
      font, legend, autosize: true, hovermode: "closest", dragmode: touch ? false : "zoom",
      paper_bgcolor: "rgba(0,0,0,0)",
      margin: Object.assign({ l: isNarrow() ? 44 : 60, r: 16, t: 28, b: 48 }, layout.margin, right),
    }, axes);
  }

  // A colour bar as the axes; on a phone below the figure, as beside it it takes a third of the width.
  function below(trace, isTall) {
    if (!trace.colorbar) return trace;
    const bar = Object.assign({ tickformat: NUMBERS }, trace.colorbar);
    if (!isNarrow()) return Object.assign({}, trace, { colorbar: bar });
    const title = Object.assign({ side: "top" }, trace.colorbar.title);
    const place = { orientation: "h", yanchor: "top", y: isTall ? -0.16 : -0.34, thickness: 10, nticks: 5, title };
    return Object.assign({}, trace, { colorbar: Object.assign(bar, place) });
  }

  function draw(id) {
    const plot = document.getElementById(id);
    if (drawn.has(id) || !plot.checkVisibility()) return;
    drawn.add(id);
    const figure = report.figures[id] || bookFigure(id, 0);
    if (!figure) return;
    // A trace that several figures show is stored once, by name.
    figure.data = figure.data.map(function (trace) {
      return below(trace.same ? Object.assign({}, report.shared[trace.same], trace) : trace, plot.matches(".tall"));
    });
    Plotly.newPlot(plot, figure.data, styled(figure.layout, figure.data), config).then(function () {
      plot.dataset.drawn = "true";
      if (!momentsOf(id)) full[id] = rangeOf(id);
      plot.on("plotly_relayout", function () { describe(id); });
    });
  }

  // The quotes around an episode

  function bookFigure(id, place) {
    const episode = (report.episodes[id] || [])[place];
    if (!episode || !episode.x) return null;
    const line = function (name, y, color, dash) {
      return {
        type: "scatter", mode: "lines", name, x: episode.x, y,
        line: { color, dash, width: 2, shape: "hv" }, hovertemplate: "%{x:.3f} s: %{y}<extra>" + name + "</extra>",
      };
    };
    const shade = {
      type: "rect", layer: "below", yref: "paper", x0: 0, x1: episode.seconds, y0: 0, y1: 1,
      fillcolor: "#d9730d", opacity: 0.18, line: { width: 0 },
    };
    return {
      data: [line("best ask", episode.ask, "#d9730d", "solid"), line("best bid", episode.bid, "#2f7ed8", "dash")],
      layout: {
        xaxis: { title: { text: "seconds since the episode's start" } },
        yaxis: { title: { text: "price (" + episode.unit + ")" }, tickformat: ",.8~f" }, shapes: [shade], showlegend: true,
      },
    };
  }

  function showEpisode(id, place) {
    const episodes = report.episodes[id];
    if (!episodes || place < 0 || place >= episodes.length) return;
    const plot = document.getElementById(id);
    plot.dataset.episode = String(place);
    const figure = bookFigure(id, place);
    drawn.add(id);
    Plotly.react(plot, figure.data, styled(figure.layout, figure.data), config).then(function () {
      plot.dataset.drawn = "true";
    });
    document.querySelectorAll('a[data-figure="' + id + '"]').forEach(function (link) {
      const isShown = Number(link.dataset.episode) === place;
      link.closest("tr").classList.toggle("shown", isShown);
      if (isShown) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    });
    listQuotes(id, episodes[place]);
    const spread = plot.dataset.overview;
    if (spread && drawn.has(spread)) {
      const around = Math.max(5000, 2 * (episodes[place].end_ms - episodes[place].start_ms));
      setRange(spread, episodes[place].start_ms - around, episodes[place].end_ms + around);
    }
    describe(id);
  }

  function listQuotes(id, episode) {
    const body = document.querySelector('#' + id + '-quotes tbody');
    if (!body) return;
    body.textContent = "";
    episode.x.forEach(function (second, row) {
      const line = body.insertRow();
      [second.toFixed(3), episode.bid[row], episode.ask[row]].forEach(function (value) {
        const cell = line.insertCell();
        cell.textContent = value === null ? "-" : typeof value === "string" ? value : priceText(value);
      });
    });
  }

  // As display.price writes it.
  function priceText(value) {
    return value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 8 });
  }

  // The range of time, by buttons

  function rangeOf(id) {
    return document.getElementById(id).layout.xaxis.range.map(function (end) {
      return typeof end === "number" ? end : Date.parse(end.replace(" ", "T") + (end.includes(":") ? "Z" : ""));
    });
  }

  function setRange(id, from, to) {
    const plot = document.getElementById(id);
    // Plotly accepts numbers for a date axis only after it has recognised it as one.
    Plotly.relayout(plot, {
      "xaxis.range": [new Date(from).toISOString().slice(0, -1), new Date(to).toISOString().slice(0, -1)],
    });
  }

  const moves = {
    in: function (from, to) { const part = (to - from) / 4; return [from + part, to - part]; },
    out: function (from, to) { const part = (to - from) / 2; return [from - part, to + part]; },
    earlier: function (from, to) { const part = (to - from) / 2; return [from - part, to - part]; },
    later: function (from, to) { const part = (to - from) / 2; return [from + part, to + part]; },
  };

  function act(button) {
    const id = button.dataset.target;
    const action = button.dataset.action;
    if (action === "previous" || action === "next") {
      const place = Number(document.getElementById(id).dataset.episode || 0) + (action === "next" ? 1 : -1);
      showEpisode(id, place);
    } else if (action === "before" || action === "after") {
      showMoment(id, action === "after" ? 1 : -1);
    } else if (action === "all") {
      setRange(id, full[id][0], full[id][1]);  // autorange would leave room beside the bubbles
    } else {
      const range = moves[action].apply(null, rangeOf(id));
      setRange(id, range[0], range[1]);
    }
  }

  // The depth of the book at a moment: each has a trace for bids and one for asks.

  function momentsOf(id) {
    const plot = document.getElementById(id);
    const meta = plot.layout && plot.layout.meta;
    if (!meta || !meta.moments) return null;
    const shown = plot.data.findIndex(function (trace) { return trace.visible !== false; });
    return { names: meta.moments, shown: Math.floor(shown / 2) };
  }

  function showMoment(id, step) {
    const { names, shown } = momentsOf(id);
    const next = shown + step;
    if (next < 0 || next >= names.length) return;
    const visible = names.flatMap(function (name, place) { return [place === next, place === next]; });
    Plotly.restyle(id, { visible }).then(function () { describe(id); });
  }

  function describe(id) {
    const place = document.getElementById(id + "-state");
    if (!place) return;
    const moments = momentsOf(id);
    if (moments) {
      place.textContent = "Shown: " + moments.names[moments.shown] + " (" + (moments.shown + 1) + " of " +
        moments.names.length + ").";
      return;
    }
    const episodes = report.episodes[id];
    if (episodes) {
      const number = Number(document.getElementById(id).dataset.episode || 0);
      const episode = episodes[number];
      place.textContent = "Episode " + (number + 1) + " of " + episodes.length + ", from " + moment(episode.start_ms) +
        " UTC, " + episode.seconds.toFixed(3) + " s.";
    } else {
      const range = rangeOf(id);
      place.textContent = "Shown: " + moment(range[0]) + " to " + moment(range[1]) + " UTC.";
    }
  }

  function moment(ms) { return new Date(ms).toISOString().slice(0, 23).replace("T", " "); }

  // The page

  const ids = Array.from(document.querySelectorAll(".plot")).map(function (plot) { return plot.id; });

  // Draws what is visible and not drawn yet, one figure after the other.
  function drawNext(place) {
    if (place >= ids.length) { document.documentElement.dataset.ready = "true"; return; }
    const id = ids[place];
    const isNew = !drawn.has(id);
    draw(id);
    if (isNew && drawn.has(id)) {
      if (report.episodes[id] && report.episodes[id].length) markFirstEpisode(id);
      describe(id);
    }
    window.setTimeout(drawNext, 0, place + 1);
  }

  // A product is closed until it is wanted: by its summary, or by a link to it or into it.
  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
    if (target) target.scrollIntoView();
  }
  window.addEventListener("hashchange", openTarget);
  document.addEventListener("toggle", function (event) {
    if (event.target.matches(".product") && event.target.open) drawNext(0);
  }, true);

  function markFirstEpisode(id) {
    listQuotes(id, report.episodes[id][0]);
    const link = document.querySelector('a[data-figure="' + id + '"][data-episode="0"]');
    if (link) { link.closest("tr").classList.add("shown"); link.setAttribute("aria-current", "true"); }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("button[data-action]");
    if (button) act(button);
    const link = event.target.closest("a[data-episode]");
    if (link) showEpisode(link.dataset.figure, Number(link.dataset.episode));
  });

  // Paper is narrower than the screen, and printing does not trigger a new layout by itself.
  window.addEventListener("beforeprint", function () {
    drawn.forEach(function (id) {
      const plot = document.getElementById(id);
      Plotly.relayout(plot, { width: 640, height: plot.matches(".tall") ? 560 : 240 });
    });
  });
  window.addEventListener("afterprint", function () {
    drawn.forEach(function (id) {
      Plotly.relayout(document.getElementById(id), { width: null, height: null, autosize: true });
    });
  });

  document.documentElement.classList.add("js");
  if (location.hash) openTarget();
  drawNext(0);
})();
