import { expect, test } from "bun:test";
import { withoutPadding } from "../../../src/flow/action/padding.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import * as OVS from "../../../src/uapi/openvswitch.ts";

/** A list of actions as a kernel writes it: set(tunnel) alone, in a clone, and in a sample. */
function actions(pads: boolean): Uint8Array {
  const writer = new AttributeWriter(new PinnedMemory(4096));
  const within = (type: number, write: () => void): void => {
    const mark = writer.nest(type);
    write();
    writer.endNest(mark);
  };
  const setTunnel = (): void =>
    within(OVS.OVS_ACTION_ATTR_SET, () =>
      within(OVS.OVS_KEY_ATTR_TUNNEL, () => {
        if (pads) writer.flag(OVS.OVS_TUNNEL_KEY_ATTR_PAD);
        writer.u64(OVS.OVS_TUNNEL_KEY_ATTR_ID, 0, 7);
        writer.u8(OVS.OVS_TUNNEL_KEY_ATTR_TTL, 64);
      }),
    );
  writer.u32(OVS.OVS_ACTION_ATTR_OUTPUT, 1);
  setTunnel();
  within(OVS.OVS_ACTION_ATTR_CLONE, () => {
    setTunnel();
    writer.u32(OVS.OVS_ACTION_ATTR_OUTPUT, 2);
  });
  within(OVS.OVS_ACTION_ATTR_SAMPLE, () => {
    writer.u32(OVS.OVS_SAMPLE_ATTR_PROBABILITY, 1000);
    within(OVS.OVS_SAMPLE_ATTR_ACTIONS, setTunnel);
  });
  writer.flag(OVS.OVS_ACTION_ATTR_POP_VLAN);
  return writer.memory.u8.slice(0, writer.position);
}

test("padding goes wherever set(tunnel) stands, and nothing else does", () => {
  const plain = actions(false);
  const padded = actions(true);
  expect(padded.length).toBe(plain.length + 3 * 4);
  expect(withoutPadding(padded)).toEqual(plain);
  expect(withoutPadding(plain)).toBe(plain);
});
