import type { Figure, Figures } from "../figures.ts";
import type { Packing, Program } from "../model.ts";
import { PROGRAM_COLOURS, TRANSPORT_COLOURS } from "./palette.ts";

/** A line of a plot; null for a missing point. */
type Series = {
  readonly label: string;
  readonly colours: readonly [light: string, dark: string];
  readonly dash?: readonly number[];
  readonly values: readonly (number | null)[];
};

/** A plot and its table. */
export type Chart = {
  readonly id: string;
  readonly title: string;
  /** What the plot shows, in a sentence. */
  readonly note: string;
  readonly x: {
    readonly label: string;
    readonly values: readonly number[];
    /** Whether the scale is logarithmic (powers of two) rather than linear. */
    readonly log: boolean;
    /** Words instead of the numbers. */
    readonly names?: readonly string[];
  };
  readonly y: { readonly label: string; readonly log: boolean };
  readonly series: readonly Series[];
};

type Transport = Packing["transport"];

const TRANSPORTS = ["send", "writev", "sendmmsg"] as const;
const PROGRAMS = ["millrace", "C"] as const;
const PERCENTILES = ["p50", "p90", "p99", "p999", "max"] as const;

/** Every plot for which there are figures. */
export function chartsOf(figures: Figures): Chart[] {
  const figuresOf = (part: string): Figure[] =>
    figures.all.filter((figure) => figure.part === part);
  const sweep = figuresOf("sweep");
  const charts: Chart[] = [];
  for (const ack of ["errors", "each"] as const) {
    const same = sweep.filter((figure) => figure.packing?.ack === ack);
    if (same.length > 0) charts.push(throughput(same, ack), latency(same, ack));
  }
  if (sweep.length > 0) charts.push(distribution(sweep));
  if (figuresOf("growth").some(({ tenths }) => tenths !== undefined))
    charts.push(growth(figuresOf("growth")));
  const ofMasks = figuresOf("masks").filter(({ masks: count }) => count !== undefined);
  if (ofMasks.length > 0) charts.push(masks(ofMasks));
  const ofPackets = figuresOf("masks").filter(({ id }) => PACKETS_ID.test(id));
  if (ofPackets.length > 0) charts.push(packets(ofPackets));
  if (figuresOf("latency").length > 0) charts.push(flowLatency(figuresOf("latency")));
  return charts;
}

/** Ids of figures of the part `latency`: the loop, and the size of a batch. */
const LATENCY_ID = /^latency-(c-)?(open|closed)-(\d+)$/;

function flowLatency(figures: readonly Figure[]): Chart {
  const measured = figures.flatMap((figure) => {
    const [, isC, loop = "", size = ""] = LATENCY_ID.exec(figure.id) ?? [];
    const program = isC === undefined ? ("millrace" as const) : ("C" as const);
    return loop === "" ? [] : [{ figure, program, loop, size: Number(size) }];
  });
  const sizes = inOrder(measured.map(({ size }) => size));
  const series = PROGRAMS.flatMap((program) =>
    (["open", "closed"] as const).flatMap((loop) => {
      const same = measured.filter((found) => found.program === program && found.loop === loop);
      return (["p50", "p99"] as const).map((percentile) => ({
        label: `${program}, ${loop} loop, ${percentile}`,
        colours: PROGRAM_COLOURS[program],
        dash: LATENCY_DASHES[loop][percentile],
        values: sizes.map(
          (size) => same.find((found) => found.size === size)?.figure.latency?.[percentile] ?? null,
        ),
      }));
    }),
  );
  return {
    id: "flow-latency",
    title: "What a flow waits for its ack",
    note: "Open loop: from when the flow was to be sent, at a fixed rate, whether or not the sender kept up. Closed loop: from the send of its batch, when the one before had been answered.",
    x: { label: "flows a batch", values: sizes, log: true },
    y: { label: "µs a flow waits", log: true },
    series: series.filter(isMeasured),
  };
}

const LATENCY_DASHES = {
  open: { p50: [], p99: [12, 4] },
  closed: { p50: [3, 4], p99: [1, 4] },
} as const;

/** The different numbers among these, the least first. */
function inOrder(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

function isMeasured({ values }: Series): boolean {
  return values.some((value) => value !== null);
}

function sizesOf(figures: readonly Figure[]): number[] {
  return inOrder(figures.map(({ packing }) => packing?.perDatagram ?? 0));
}

/** A value of the figure that a program has for each size, by a transport or by any. */
function bySize(
  figures: readonly Figure[],
  program: Program,
  transport: Transport | undefined,
  valueOf: (figure: Figure) => number | null | undefined,
): (number | null)[] {
  const same = figures.filter(
    (figure) =>
      figure.program === program &&
      (transport === undefined || figure.packing?.transport === transport),
  );
  return sizesOf(figures).map((size) => {
    const found = same.filter(({ packing }) => packing?.perDatagram === size);
    const [best] = found.toSorted((a, b) => a.each - b.each);
    return (best && valueOf(best)) ?? null;
  });
}

function acksOf(ack: "errors" | "each"): string {
  return ack === "errors"
    ? "an ack on each datagram's last message, and errors"
    : "an ack for each message";
}

function throughput(figures: readonly Figure[], ack: "errors" | "each"): Chart {
  const perSecond = ({ each }: Figure): number => 1e6 / each;
  const series: Series[] = TRANSPORTS.map((transport) => ({
    label: `millrace, ${transport}`,
    colours: TRANSPORT_COLOURS[transport],
    values: bySize(figures, "millrace", transport, perSecond),
  }));
  const limit = {
    label: "the kernel's limit (C, the better transport)",
    colours: TRANSPORT_COLOURS.limit,
    dash: [7, 5],
    values: bySize(figures, "C", undefined, perSecond),
  };
  return {
    id: `throughput-${ack}`,
    title: `Throughput against batch size: ${acksOf(ack)}`,
    note: "Flows a second, first send to last reply; both scales logarithmic. sendmmsg takes several datagrams a call, up to 4,096 messages in all.",
    x: { label: "messages a datagram", values: sizesOf(figures), log: true },
    y: { label: "flows a second", log: true },
    series: isMeasured(limit) ? [...series, limit] : series,
  };
}

function latency(figures: readonly Figure[], ack: "errors" | "each"): Chart {
  const dashes = { p50: [], p99: [3, 4] } as const;
  const series: Series[] = TRANSPORTS.flatMap((transport) =>
    (["p50", "p99"] as const).map((percentile) => ({
      label: `millrace, ${transport}, ${percentile}`,
      colours: TRANSPORT_COLOURS[transport],
      dash: dashes[percentile],
      values: bySize(figures, "millrace", transport, (found) => found.latency?.[percentile]),
    })),
  );
  const limit = {
    label: "C, send, p50",
    colours: TRANSPORT_COLOURS.limit,
    dash: [7, 5],
    values: bySize(figures, "C", "send", (found) => found.latency?.p50),
  };
  return {
    id: `latency-${ack}`,
    title: `Batch latency against batch size: ${acksOf(ack)}`,
    note: "Microseconds from a system call's start to its last reply, measured in a pass of its own. A sendmmsg is one batch of all its datagrams.",
    x: { label: "messages a datagram", values: sizesOf(figures), log: true },
    y: { label: "µs a batch", log: true },
    series: isMeasured(limit) ? [...series, limit] : series,
  };
}

/** Dash patterns by batch size: the larger the batch, the longer the dash. */
const STEPS: readonly (readonly number[])[] = [[], [12, 4], [7, 4], [3, 4], [1, 4]];

function distribution(figures: readonly Figure[]): Chart {
  const wanted = figures.filter(
    ({ packing, latency: found }) =>
      packing?.transport === "send" && packing.ack === "errors" && found !== undefined,
  );
  const sizes = sizesOf(wanted).filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
  const series = PROGRAMS.flatMap((program) =>
    sizes.map((size, i) => {
      const found = wanted.find(
        (figure) => figure.program === program && figure.packing?.perDatagram === size,
      );
      return {
        label: `${program}, ${size} a datagram`,
        colours: PROGRAM_COLOURS[program],
        dash: STEPS[i % STEPS.length] ?? [],
        values: PERCENTILES.map((percentile) => found?.latency?.[percentile] ?? null),
      };
    }),
  );
  return {
    id: "distribution",
    title: "Distribution of batch latency: send, an ack on the last message",
    note: "From the median to the worst batch. p99 is said of 100 batches and more, p99.9 of 1,000.",
    x: {
      label: "percentile",
      values: PERCENTILES.map((_, i) => i),
      log: false,
      names: ["p50", "p90", "p99", "p99.9", "max"],
    },
    y: { label: "µs a batch", log: true },
    series: series.filter(isMeasured),
  };
}

function growth(figures: readonly Figure[]): Chart {
  const most = Math.max(...figures.map(({ flows }) => flows));
  return {
    id: "growth",
    title: `Growth to ${most.toLocaleString("en-US")} flows`,
    note: "Microseconds a flow for each tenth of the flows.",
    x: {
      label: "flows in the datapath",
      values: Array.from({ length: 10 }, (_, i) => ((i + 1) * most) / 10),
      log: false,
    },
    y: { label: "µs a flow", log: false },
    series: figures
      .filter(({ tenths, flows }) => tenths !== undefined && flows === most)
      .map(({ name, program, tenths }, i) => ({
        label: name.replace(/, \d+ flows$/, ""),
        colours: PROGRAM_COLOURS[program],
        dash: STEPS[i % STEPS.length] ?? [],
        values: tenths ?? [],
      })),
  };
}

function masks(figures: readonly Figure[]): Chart {
  const counts = inOrder(figures.map(({ masks: count }) => count ?? 0));
  return {
    id: "masks",
    title: "What masks cost",
    note: "The kernel looks a new flow up in every mask that there is before it inserts it.",
    x: { label: "masks in the datapath", values: counts, log: true },
    y: { label: "µs a flow", log: true },
    series: PROGRAMS.map((program) => {
      const same = figures.filter((figure) => figure.program === program);
      return {
        label: `${program}, encoded before`,
        colours: PROGRAM_COLOURS[program],
        dash: program === "C" ? [7, 5] : [],
        values: counts.map((count) => same.find((figure) => figure.masks === count)?.each ?? null),
      };
    }).filter(isMeasured),
  };
}

/** Ids of packets in the part `masks`: the number of masks, and the size of the cache if it is set. */
const PACKETS_ID = /^packets-([1-9]\d*)(?:-cache-(\d+))?$/;

function packets(figures: readonly Figure[]): Chart {
  const measured = figures.map((figure) => {
    const [, masksOfId, cache] = PACKETS_ID.exec(figure.id) ?? [];
    return { count: Number(masksOfId), cache, each: figure.each };
  });
  const counts = inOrder(measured.map(({ count }) => count));
  const sizes = inOrder(measured.flatMap(({ cache }) => (cache === undefined ? [] : [+cache])));
  return {
    id: "mask-packets",
    title: "What masks cost a packet",
    note: "1,024 connections in turn, looked up and dropped. The kernel remembers the mask of a connection in a cache; where it does not, it tries one mask after another.",
    x: { label: "masks in the datapath", values: counts, log: true },
    y: { label: "µs a packet", log: true },
    series: [undefined, ...sizes.map(String)].map((size, i) => ({
      label: size === undefined ? "the usual cache" : `a cache of ${size}`,
      colours: PROGRAM_COLOURS.millrace,
      dash: STEPS[i % STEPS.length] ?? [],
      values: counts.map(
        (count) =>
          measured.find((found) => found.count === count && found.cache === size)?.each ?? null,
      ),
    })),
  };
}
