// Draws every <figure data-chart="ID">: the json_script with that id holds {data, layout}.
// Text takes the page's colour; lines and grid are mid-tones that read on light and on dark.
(() => {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const GRID = "rgba(128, 136, 144, 0.3)";
  const AXIS = /^[xyz]axis\d*$/;

  // a colour scale that ends in near-white would glare on a dark page, and the other way round
  const RAMP = {
    light: [[0, "#eef2f8"], [0.2, "#f4d9a8"], [0.5, "#e0894f"], [1, "#a3262a"]],
    dark: [[0, "#262b33"], [0.2, "#6b4a1f"], [0.5, "#c46a33"], [1, "#ff8a75"]],
  };

  const themed = (spec) => {
    const page = getComputedStyle(document.body);
    const dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
    const given = spec.layout || {};
    const narrow = matchMedia("(max-width: 30rem)").matches;
    const axis = { gridcolor: GRID, zerolinecolor: GRID, zeroline: false, automargin: true };
    const layout = {
      margin: { l: 48, r: 12, t: 12, b: 40 },
      ...given,
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      colorway: ["#4c7fe0", "#c77a1f", "#3c9a57", "#d9534a", "#8a6fd1", "#808890"],
      font: { ...given.font, color: page.color, family: page.fontFamily },
      hoverlabel: { bgcolor: dark ? "#2f2f2f" : "#ffffff", font: { color: page.color } },
      xaxis: {},
      yaxis: {},
      transition: still.matches ? { duration: 0 } : given.transition,
    };
    Object.keys({ xaxis: 0, yaxis: 0, ...given }).filter((key) => AXIS.test(key)).forEach((key) => {
      const title = typeof given[key]?.title === "string" ? { text: given[key].title } : given[key]?.title;
      layout[key] = { ...axis, ...given[key], ...(title && { title: { standoff: 8, ...title } }) };
    });
    if (narrow && layout.showlegend !== false) layout.legend = { ...layout.legend, orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 };
    if (narrow) layout.font.size = 11;
    const data = spec.data.map((trace) => {
      if (trace.type !== "heatmap") return trace;
      const bar = { thickness: 10, outlinewidth: 0, ...trace.colorbar };
      const ramp = typeof trace.colorscale === "string" || trace.keepscale ? trace.colorscale : RAMP[dark ? "dark" : "light"];
      const { keepscale, ...rest } = trace;
      return { xgap: 2, ygap: 2, ...rest, colorscale: ramp, colorbar: narrow ? undefined : bar, showscale: !narrow && trace.showscale !== false };
    });
    return { data, layout };
  };

  // a figure that is swapped each second keeps its drawing, so that it neither flickers nor forgets the pointer
  const drawings = new Map();
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.shouldSwap) return;
    event.detail.target.querySelectorAll?.("[data-chart]").forEach((figure) => {
      const place = figure.querySelector(".chart.js-plotly-plot");
      if (place) drawings.set(figure.dataset.chart, place);
    });
  });
  document.addEventListener("htmx:afterSettle", () => {
    drawings.forEach((place) => { if (!place.isConnected) Plotly.purge(place); });
    drawings.clear();
  });

  const draw = (figure) => {
    let place = figure.querySelector(".chart");
    const before = drawings.get(figure.dataset.chart);
    if (before && place && before !== place) {
      drawings.delete(figure.dataset.chart);
      place.replaceWith(before);
      place = before;
    }
    const source = document.getElementById(figure.dataset.chart);
    if (!place || !source || !window.Plotly) return;
    const { data, layout } = themed(JSON.parse(source.textContent));
    Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
  };
  const figures = (root) => [...(root.matches?.("[data-chart]") ? [root] : []), ...root.querySelectorAll("[data-chart]")];
  const drawAll = () => figures(document).forEach(draw);

  drawAll();
  document.addEventListener("themechange", drawAll);
  document.addEventListener("htmx:load", (event) => {
    if (event.detail.elt === document.body) return;  // drawn above
    figures(event.detail.elt).forEach(draw);
  });
  // a chart in something closed had no width when it was drawn
  document.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelectorAll(".chart.js-plotly-plot").forEach((place) => Plotly.Plots.resize(place));
  }, true);
  // the JSON of a chart may be replaced without its figure: htmx out of band
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    const id = event.detail.target?.id;
    if (id) document.querySelectorAll(`[data-chart="${CSS.escape(id)}"]`).forEach(draw);
  });
})();
