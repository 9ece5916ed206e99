import { describe, expect, test } from "bun:test";
import { barsOf } from "../../bench/bars.ts";
import { figuresOf } from "../../bench/figures.ts";
import { chartsOf } from "../../bench/report/charts.ts";
import { peersSvg } from "../../bench/report/svg.ts";
import { ENVIRONMENT, results, run, PACKING } from "./support.ts";

describe("figures", () => {
  test("are medians over rounds, with half the distance of the extremes", () => {
    const { all } = figuresOf(
      results(run("packed-a", 0, 4), run("packed-a", 1, 1), run("packed-a", 2, 2)),
    );
    expect(all).toHaveLength(1);
    expect(all[0]?.each).toBe(2000);
    expect(all[0]?.spread).toBe(0.75);
  });

  test("have the percentiles that the batches tell, and no others", () => {
    const latency = { p50: 1, p90: 2, p99: 3, p999: null, max: 5 };
    const of = (p99: number | null): object => ({
      batchLatencyMicroseconds: { ...latency, p99 },
    });
    const found = figuresOf(results(run("packed-a", 0, 1, of(3)), run("packed-a", 1, 1, of(5))));
    expect(found.all[0]?.latency).toEqual({ ...latency, p99: 4 });
    const none = figuresOf(results(run("packed-a", 0, 1, of(null))));
    expect(none.all[0]?.latency?.p99).toBeNull();
  });

  test("leave failed runs out, and say so", () => {
    const found = figuresOf(
      results(run("packed-a", 0, 4), run("packed-a", 1, 1, { failed: "exit 1" })),
    );
    expect(found.all[0]?.each).toBe(4000);
    expect(found.failures).toEqual([{ name: "packed-a", why: "exit 1" }]);
  });

  test("name the variant that installed other flows", () => {
    const { proofs } = figuresOf(
      results(
        run("packed-a", 0, 1, { work: "w", workHash: "1:aa" }),
        run("packed-b", 0, 1, { work: "w", workHash: "1:bb" }),
        run("packed-c", 0, 1, { work: "other", workHash: "1:bb" }),
        run("packed-d", 0, 1, { work: "other", workHash: "1:bb" }),
        // Rounds of one variant prove nothing.
        run("packed-e", 0, 1, { work: "alone", workHash: "1:cc" }),
        run("packed-e", 1, 1, { work: "alone", workHash: "1:cc" }),
      ),
    );
    expect(proofs.map(({ work, differing }) => [work, differing])).toEqual([
      ["w", ["packed-b"]],
      ["other", []],
    ]);
  });
});

describe("bars", () => {
  test("hold millrace against the best packing of the limit", () => {
    const found = results(run("limit-1", 0, 10), run("limit-1024", 0, 1.9), run("packed", 0, 2));
    const [packed, template] = barsOf(found, figuresOf(found));
    expect(packed).toMatchObject({ value: "0.950", met: true });
    expect(template).toMatchObject({ value: "–", met: undefined });
  });

  test("are missed by a hair", () => {
    const found = results(run("limit-1024", 0, 1.89), run("packed", 0, 2));
    expect(barsOf(found, figuresOf(found))[0]?.met).toBe(false);
  });

  test("compare the parser with OVS's own", () => {
    const native = { part: "native" } as const;
    const found = results(
      run("text-to-bytes", 0, 0.7, native),
      run("ovs-parse", 0, 2, {
        ...native,
        program: "libopenvswitch",
      }),
    );
    const ofParser = (of: ReturnType<typeof results>): unknown =>
      barsOf(of, figuresOf(of)).find(({ what }) => what.includes("OVS's own parser"));
    expect(ofParser(found)).toMatchObject({ value: "0.350", met: true });
    const alone = results(...found.runs.slice(0, 1));
    expect(ofParser(alone)).toMatchObject({ value: "–", met: undefined });
  });

  test("compare growth with that of the limit", () => {
    const found = results(
      run("limit-1", 0, 1, { tenths: [1, 1, 1, 1, 1, 1, 1, 1, 1, 2] }),
      run("packed", 0, 1, { tenths: [1, 1, 1, 1, 1, 1, 1, 1, 1, 3] }),
    );
    const growth = barsOf(found, figuresOf(found)).find(({ what }) => what.startsWith("growth"));
    expect(growth).toMatchObject({ value: "1.500", met: false });
  });
});

describe("plots", () => {
  const found = results(
    run("packed-16", 0, 2, { part: "sweep", packing: PACKING }),
    run("limit-16-send", 0, 1, { part: "sweep" }),
    run("limit-16-sendmmsg", 0, 0.5, {
      part: "sweep",
      packing: { ...PACKING, transport: "sendmmsg" },
    }),
  );

  test("draw the limit as the better of C's transports", () => {
    const chart = chartsOf(figuresOf(found)).find(({ id }) => id === "throughput-errors");
    expect(chart?.x.values).toEqual([16]);
    expect(chart?.series.find(({ label }) => label === "millrace, send")?.values).toEqual([500]);
    expect(chart?.series.find(({ label }) => label.includes("limit"))?.values).toEqual([2000]);
  });

  test("escape what is not theirs", () => {
    const svg = peersSvg(ENVIRONMENT, figuresOf(results(run("limit-1", 0, 1))));
    expect(svg).toContain("a &lt;CPU&gt;");
    expect(svg).not.toContain("<CPU>");
  });
});
