// Runs in the page: draws each chart with uPlot, anew when the scheme or the width changes.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = [];

  const number = (value) => {
    if (value === null || value === undefined) return "–";
    if (value >= 1e6) return `${(value / 1e6).toFixed(value >= 1e7 ? 1 : 2)} M`;
    if (value >= 1e4) return `${Math.round(value / 1e3)} k`;
    if (value >= 100) return value.toFixed(0);
    return value.toPrecision(3);
  };
  const axis = (value) => {
    if (value === null) return "";
    if (value >= 1e6) return `${value / 1e6} M`;
    if (value >= 1e4) return `${value / 1e3} k`;
    return String(value);
  };

  function draw(chart) {
    const holder = document.getElementById(chart.id);
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const grid = { stroke: style.getPropertyValue("--line").trim(), width: 1 };
    const { names } = chart.x;
    const plot = new uPlot(
      {
        width: holder.clientWidth,
        height: 340,
        scales: {
          x: { time: false, ...(chart.x.log ? { distr: 3, log: 2 } : {}) },
          y: chart.y.log ? { distr: 3, log: 10 } : { range: (_, low, high) => [0, high * 1.15] },
        },
        axes: [
          {
            stroke: ink,
            grid,
            ticks: grid,
            label: chart.x.label,
            splits: chart.x.log || names ? () => chart.x.values : undefined,
            filter: chart.x.log || names ? (_, splits) => splits : undefined,
            values: (_, splits) => splits.map((value) => (names ? names[value] : axis(value))),
          },
          {
            stroke: ink,
            grid,
            ticks: grid,
            label: chart.y.label,
            size: 70,
            values: (_, splits) => splits.map(axis),
          },
        ],
        series: [
          { label: chart.x.label, value: (_, value) => (names ? names[value] : number(value)) },
          ...chart.series.map((series) => ({
            label: series.label,
            stroke: series.colours[dark.matches ? 1 : 0],
            width: 2,
            dash: series.dash?.length > 0 ? series.dash : undefined,
            points: { show: true, size: 7 },
            spanGaps: true,
            value: (_, value) => number(value),
          })),
        ],
      },
      [chart.x.values, ...chart.series.map((series) => series.values)],
      holder,
    );
    drawn.push(plot);
  }

  function drawAll() {
    for (const plot of drawn.splice(0)) plot.destroy();
    for (const chart of charts) draw(chart);
  }

  // A new width is drawn in the next frame: drawing inside an observer would change what it observes.
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    requestAnimationFrame(drawAll);
  }).observe(document.body);
  dark.addEventListener("change", drawAll);
  drawAll();
})();
