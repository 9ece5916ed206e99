import { type Figure, type Figures, isLimit } from "./figures.ts";
import type { Environment, Part, Results, Run, VariantId } from "./model.ts";
import { median } from "./statistics.ts";

/** One of millrace's promises: the measured value, and whether it is kept. */
export type Bar = {
  readonly what: string;
  /** The promise, in words. */
  readonly bar: string;
  /** The measured value, in words; a dash if it was not measured. */
  readonly value: string;
  readonly met: boolean | undefined;
};

const NOT_MEASURED = "–";

/** Compares the figures of a run with millrace's promises. */
export function barsOf(results: Results, figures: Figures): Bar[] {
  const find: Find = (part, id) =>
    figures.all.find((figure) => figure.part === part && figure.id === id);
  return [
    ...installing(find, figures, results.environment),
    atMost(
      "text to netlink bytes with UFID, natively, one thread, µs a flow",
      find("native", "text-to-bytes")?.each,
      0.8,
    ),
    atMost(
      "text to netlink bytes with UFID, against what OVS's own parser takes to attributes",
      ratio(find("native", "text-to-bytes")?.each, find("native", "ovs-parse")?.each),
      0.35,
    ),
    atLeast(
      "dump and print, start-up left out, against ovs-dpctl dump-flows -m",
      ratio(
        secondsBeyond(find("dump", "dpctl-dump"), find("dump", "dpctl-dump-start")),
        secondsBeyond(find("dump", "dump"), find("dump", "dump-start")),
      ),
      5,
    ),
    ...(["dump line", "dump line of -m"] as const).map((style) =>
      atMost(
        `print a ${style}, natively, against parsing a line of the same flows`,
        ratio(
          find("micro", `micro-print-${style}`)?.each,
          find("micro", "micro-parse and encode-sample lines, UFID")?.each,
        ),
        1.7,
      ),
    ),
    memory("memory of a load from text in the lab, MB", find("growth", "load-text")),
    memory("memory of the long dry run, natively, MB", find("native", "dry-run")),
    growth(limitOf(figures), find("growth", "packed")),
    atLeast(
      "many flows behind 1,000 others' masks in the file, compiled, against the best order by hand",
      ratio(find("masks", "order-first-1000")?.each, find("masks", "order-compiled-1000")?.each),
      0.9,
    ),
    atMost(
      "sync, a hundredth with other actions, against a dump, reading the file and sending, each alone",
      syncRatio(find),
      1.5,
    ),
    atMost(
      "diff of two datapaths, a hundredth with other actions, against dumping both, whole processes",
      ratio(find("sync", "sync-diff-datapaths")?.each, find("sync", "sync-diff-printed")?.each),
      1.3,
    ),
    memory("memory of that diff, MB", find("sync", "sync-diff-datapaths"), 800),
    atMost(
      "start of millrace --version, against bun -e 0",
      starts(results.runs, "start-version"),
      3,
    ),
    atMost(
      "start of load --dry-run of one flow, against bun -e 0",
      starts(results.runs, "start-load"),
      6,
    ),
  ];
}

/** A sync's time over that of its parts. */
function syncRatio(find: Find): number | undefined {
  const [dump, read, send] = (["sync-dump", "sync-read", "sync-send"] as const).map(
    (id) => find("sync", id)?.each,
  );
  if (dump === undefined || read === undefined || send === undefined) return undefined;
  return ratio(find("sync", "sync-all")?.each, dump + read + send);
}

type Find = (part: Part, id: VariantId) => Figure | undefined;

/** The cost of installing flows, against the kernel's limit and ovs-dpctl. */
function installing(find: Find, figures: Figures, environment: Environment): Bar[] {
  // On the host's kernel, system calls are cheap relative to the rest, as in QEMU, so QEMU's bar
  // applies.
  const isUml = environment.lab === "uml";
  const best = limitOf(figures);
  const packed = find("growth", "packed");
  const template = find("growth", "template");
  const compiled = find("growth", "load-compiled");
  const text = find("growth", "load-text");
  const ovs = find("peers", "nl-transact");
  const dpctl = find("peers", "dpctl-add");
  const dpctlSeconds = secondsBeyond(dpctl, find("peers", "dpctl-start"));
  const dpctlEach =
    dpctl === undefined || dpctlSeconds === undefined
      ? undefined
      : (dpctlSeconds * 1e6) / dpctl.flows;
  const textEach = text === undefined ? undefined : (text.wholeSeconds * 1e6) / text.flows;
  return [
    atLeast(
      `encoded before, against C with the same bytes${flowsOf(packed)}`,
      ratio(best?.each, packed?.each),
      0.95,
    ),
    atLeast(
      `from a template, against C with the same bytes${flowsOf(template)}`,
      ratio(best?.each, template?.each),
      0.95,
    ),
    atLeast(
      `from a compiled file, against C with the same bytes${flowsOf(compiled)}`,
      ratio(best?.each, compiled?.each),
      0.9,
    ),
    atLeast(
      "against C in the shape of nl_transact_multiple",
      ratio(ovs?.each, find("peers", "packed")?.each),
      isUml ? 3 : 1.3,
    ),
    atLeast(
      "text to installed, whole process, against ovs-dpctl add-flows less its start",
      ratio(dpctlEach, textEach),
      isUml ? 60 : 20,
    ),
    atLeast(
      "text to installed, whole process, against C with the same bytes",
      ratio(best?.each, textEach),
      isUml ? 0.5 : 0.7,
    ),
  ];
}

/** The least time of C with pre-encoded bytes, in its best packing; with many flows if measured. */
function limitOf(figures: Figures): Figure | undefined {
  const best = (part: Part): Figure | undefined =>
    figures.all
      .filter((figure) => figure.part === part && isLimit(figure))
      .toSorted((a, b) => a.each - b.each)[0];
  return best("growth") ?? best("peers");
}

function flowsOf(figure: Figure | undefined): string {
  return figure === undefined ? "" : `, ${figure.flows.toLocaleString("en-US")} flows`;
}

function ratio(theirs: number | undefined, ours: number | undefined): number | undefined {
  return theirs === undefined || ours === undefined || ours <= 0 ? undefined : theirs / ours;
}

function atLeast(what: string, value: number | undefined, least: number): Bar {
  return barOf(what, value, `≥ ${least}`, (found) => found >= least);
}

function atMost(what: string, value: number | undefined, most: number): Bar {
  return barOf(what, value, `≤ ${most}`, (found) => found <= most);
}

function barOf(
  what: string,
  value: number | undefined,
  bar: string,
  isMet: (value: number) => boolean,
): Bar {
  if (value === undefined) return { what, bar, value: NOT_MEASURED, met: undefined };
  return { what, bar, value: value.toFixed(value < 10 ? 3 : 1), met: isMet(value) };
}

function memory(what: string, figure: Figure | undefined, megabytes = 200): Bar {
  const bytes = figure?.peakBytes;
  return atMost(what + flowsOf(figure), bytes === undefined ? undefined : bytes / 1e6, megabytes);
}

/** Seconds of a whole process, minus those of one that does nothing. */
function secondsBeyond(full: Figure | undefined, empty: Figure | undefined): number | undefined {
  if (full === undefined || empty === undefined) return undefined;
  return full.wholeSeconds - empty.wholeSeconds;
}

/** The ratio of the last tenth to the first. */
function growthOf(figure: Figure | undefined): number | undefined {
  const tenths = figure?.tenths;
  return ratio(tenths?.at(-1), tenths?.[0]);
}

function growth(limit: Figure | undefined, own: Figure | undefined): Bar {
  const [theirs, ours] = [growthOf(limit), growthOf(own)];
  return atMost(
    "growth, last tenth against the first, against C's own growth",
    ratio(ours, theirs),
    1.1,
  );
}

/** The median of the ratios of pairs, which were started alternately. */
function starts(runs: readonly Run[], id: VariantId): number | undefined {
  const good = (wanted: VariantId): Run[] =>
    runs.filter((run) => run.failed === undefined && run.id === wanted);
  const bare = new Map(good("start-bun").map((run) => [run.round, run.seconds]));
  const ratios = good(id).map((run) => run.seconds / (bare.get(run.round) ?? Number.NaN));
  return ratios.length === 0 ? undefined : median(ratios);
}
