import { expect, test } from "bun:test";
import { AttributeReader, decodeString } from "../../src/netlink/attribute-reader.ts";
import { NetlinkChannel } from "../../src/netlink/channel.ts";
import { GENL_HEADER } from "../../src/netlink/message.ts";
import {
  CTRL_ATTR_FAMILY_NAME,
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  GENL_ID_CTRL,
} from "../../src/uapi/netlink.ts";

const CONTROLLER = { family: "nlctrl", version: 2, command: CTRL_CMD_GETFAMILY } as const;

test("a channel speaks to any generic netlink family", () => {
  using channel = new NetlinkChannel();
  expect(channel.family("nlctrl")).toMatchObject({ id: GENL_ID_CTRL, name: "nlctrl" });
  expect(channel.familyMoved("nlctrl", GENL_ID_CTRL)).toBe(false);
  const commands: number[] = [];
  channel.transactGeneric(
    {
      ...CONTROLLER,
      doing: "asking",
      write: (writer) => writer.string(CTRL_ATTR_FAMILY_NAME, "nlctrl"),
    },
    (memory, { payload }) => void commands.push(memory.u8[payload] ?? 0),
  );
  expect(commands).toEqual([CTRL_CMD_NEWFAMILY]);
});

test("and dumps from it", () => {
  using channel = new NetlinkChannel();
  const names: string[] = [];
  const request = { ...CONTROLLER, doing: "listing", write: () => {} };
  for (const { memory, message } of channel.dumpGeneric(request)) {
    const reader = new AttributeReader();
    reader.reset(memory.u8, message.payload + GENL_HEADER, message.end);
    while (reader.next()) {
      if (reader.type === CTRL_ATTR_FAMILY_NAME)
        names.push(decodeString(memory.u8, reader.start, reader.start + reader.length));
    }
  }
  expect(names).toContain("nlctrl");
});

test("a family that the kernel lacks is an error with its name", () => {
  using channel = new NetlinkChannel();
  expect(() => channel.family("no-such-one")).toThrow("has no netlink family no-such-one");
  const request = { ...CONTROLLER, family: "no-such-one", doing: "asking", write: () => {} };
  expect(() => channel.transactGeneric(request)).toThrow("has no netlink family no-such-one");
  expect(() => channel.dumpGeneric(request).next()).toThrow("has no netlink family no-such-one");
});
