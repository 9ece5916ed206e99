import { describe, expect, test } from "bun:test";
import { Traffic } from "../../bench/lab/churn-traffic.ts";

type Sent = { readonly words: Float64Array; readonly port: number };

/** Traffic whose packets wait in `wire`. */
function traffic(planned: number): { kind: Traffic; wire: Sent[] } {
  const wire: Sent[] = [];
  const send = (bytes: Uint8Array, port: number): void => {
    wire.push({ words: new Float64Array(Uint8Array.from(bytes).buffer), port });
  };
  return { kind: new Traffic(2, planned, send), wire };
}

/** The kind, the number and the time of a packet. */
function wordsOf({ words }: Sent): [kind: number, number: number, sentAt: number] {
  return [words[0] ?? -1, words[1] ?? -1, words[2] ?? 0];
}

describe("packets", () => {
  test("are numbered, and missing numbers are lost, in whatever order the others come", () => {
    const { kind, wire } = traffic(5);
    for (let i = 0; i < 5; i++) kind.send(100 + i);
    expect(wire.map((packet) => [...wordsOf(packet).slice(0, 2), packet.port])).toEqual(
      [0, 1, 2, 3, 4].map((number) => [2, number, 100 + number]),
    );
    for (const packet of [4, 0, 2].flatMap((i) => wire[i] ?? [])) {
      const [, number, sentAt] = wordsOf(packet);
      kind.take(number, sentAt);
    }
    expect(kind.step("churn-packets", "some")).toMatchObject({ flows: 5, lost: 2 });
  });

  test("that come twice are no others", () => {
    const { kind } = traffic(2);
    kind.send(1);
    kind.send(1);
    kind.take(0, 0);
    expect(() => kind.take(0, 0)).toThrow("packet 0 arrived twice");
    expect(() => kind.take(7, 0)).toThrow("or is none");
    expect(kind.step("churn-packets", "some").lost).toBe(1);
  });
});
