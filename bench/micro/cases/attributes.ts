import { AttributeReader } from "../../../src/netlink/attribute-reader.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { OVS_FLOW_ATTR_KEY } from "../../../src/uapi/openvswitch.ts";
import { Arena, encodeLines, type MicroCase } from "./case.ts";

/** The number of flows whose attributes are walked. */
const FLOWS = 32;

/** Cases for the attribute writer and reader, without the flow language. */
export function attributeCases(count: number): MicroCase[] {
  const arena = new Arena();
  const { writer } = arena;
  const write = (name: string, writeOne: (i: number) => void): MicroCase => ({
    group: "attribute",
    name: `write ${name}`,
    unit: "attribute",
    count,
    run: () => {
      for (let i = 0; i < count; i++) {
        writeOne(i);
        arena.next();
      }
      return arena.take();
    },
  });
  const payload = new Uint8Array(40);
  return [
    write("u32", (i) => writer.u32(1, i)),
    write("be16", (i) => writer.be16(1, i)),
    write("40 bytes", () => writer.bytes(1, payload)),
    write("a nest", () => writer.endNest(writer.nest(1))),
    readCase(count),
  ];
}

/** Walks whole flows, and the keys in them. */
function readCase(count: number): MicroCase {
  const lines = Array.from({ length: FLOWS }, (_, i) => sampleLine(i));
  const { bytes, starts } = encodeLines(lines, { ufid: true });
  const flow = new AttributeReader();
  const key = new AttributeReader();
  const run = (): number => {
    let sum = 0;
    let read = 0;
    for (let i = 0; read < count; i = (i + 1) % FLOWS) {
      flow.reset(bytes, starts[i] ?? 0, starts[i + 1] ?? 0);
      while (flow.next()) {
        read++;
        sum += flow.length;
        if (flow.type !== OVS_FLOW_ATTR_KEY) continue;
        key.reset(bytes, flow.start, flow.start + flow.length);
        for (; key.next(); read++) sum += key.length;
      }
    }
    return sum;
  };
  return { group: "attribute", name: "read", unit: "attribute", count, run };
}
