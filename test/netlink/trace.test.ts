import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { NetlinkError } from "../../src/netlink/errors.ts";
import { findFamily } from "../../src/netlink/family.ts";
import { putGenericHeader, putWord } from "../../src/netlink/message.ts";
import { Requester } from "../../src/netlink/request.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { CALLS, tracedThread } from "../../src/netlink/trace.ts";
import { MessageText } from "../../src/netlink/trace/message-text.ts";
import { Tracer } from "../../src/netlink/trace/tracer.ts";
import { Transactor } from "../../src/netlink/transactor.ts";
import { EEXIST, ENOBUFS } from "../../src/sys/errno.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { KERNEL } from "../../src/sys/socket-calls.ts";
import * as N from "../../src/uapi/netlink.ts";
import * as O from "../../src/uapi/openvswitch.ts";
import { PROPERTY } from "../flow/harness.ts";
import { doneReply, errorReply, message, ScriptedKernel } from "./scripted-kernel.ts";
import { batchOf, executeByThread, partSender, statesOf } from "./scripted-rig.ts";

const FLOW = 0x1c;
const memory = new PinnedMemory(4096);

/** The bytes that are written. */
function written(write: (writer: AttributeWriter) => void): Uint8Array {
  const writer = new AttributeWriter(memory);
  writer.reset(0, memory.size);
  write(writer);
  return memory.u8.slice(0, writer.position);
}

/** A tracer, and the lines that it has written, numbers of messages left out. */
function tracer(): { readonly tracer: Tracer; readonly lines: () => string[] } {
  let text = "";
  const lines = (): string[] =>
    text
      .replaceAll(/seq \d+/g, "seq N")
      .trimEnd()
      .split("\n");
  return { tracer: new Tracer((more) => void (text += more)), lines };
}

function putFlow(writer: AttributeWriter): void {
  putGenericHeader(writer, O.OVS_FLOW_CMD_NEW, O.OVS_FLOW_VERSION);
  putWord(writer, 7);
  const key = writer.nest(O.OVS_FLOW_ATTR_KEY);
  writer.u32(O.OVS_KEY_ATTR_IN_PORT, 1);
  const tag = writer.nest(O.OVS_KEY_ATTR_ENCAP);
  writer.u8(O.OVS_KEY_ATTR_ICMP, 8);
  writer.endNest(tag);
  writer.endNest(key);
  const actions = writer.nest(O.OVS_FLOW_ATTR_ACTIONS);
  writer.u32(O.OVS_ACTION_ATTR_OUTPUT, 2);
  writer.flag(O.OVS_ACTION_ATTR_POP_VLAN);
  const clone = writer.nest(O.OVS_ACTION_ATTR_CLONE);
  writer.u32(O.OVS_ACTION_ATTR_RECIRC, 3);
  writer.endNest(clone);
  writer.endNest(actions);
}

/** What the kernel says beside an errno. */
function refusal(sequence: number): Uint8Array {
  const plain = errorReply(sequence, EEXIST).slice(16);
  const said = written((writer) => {
    writer.string(N.NLMSGERR_ATTR_MSG, "no, really");
    writer.u32(N.NLMSGERR_ATTR_OFFS, 24);
  });
  const flags = N.NLM_F_CAPPED | N.NLM_F_ACK_TLVS;
  return message(N.NLMSG_ERROR, flags, sequence, Uint8Array.from([...plain, ...said]));
}

describe("a trace", () => {
  test("tells what is asked and answered, attributes by name", () => {
    const { tracer: seen, lines } = tracer();
    const kernel = new ScriptedKernel();
    kernel.answer = ({ type, sequence, flags }) => {
      if (type === FLOW)
        return (flags & N.NLM_F_DUMP) === 0 ? [refusal(sequence)] : [doneReply(sequence)];
      const family = written((writer) => {
        putGenericHeader(writer, 1, 2);
        writer.string(N.CTRL_ATTR_FAMILY_NAME, "ovs_flow");
        writer.u16(N.CTRL_ATTR_FAMILY_ID, FLOW);
      });
      return [message(N.GENL_ID_CTRL, 0, sequence, family), errorReply(sequence, 0)];
    };
    const calls = seen.observe(kernel);
    const requester = new Requester(new NetlinkSocket(N.NETLINK_GENERIC, { calls }));
    findFamily(requester, "ovs_flow");
    const put = { type: FLOW, flags: N.NLM_F_CREATE, doing: "putting", write: putFlow };
    expect(() => requester.transact(put)).toThrow(NetlinkError);
    const write = (writer: AttributeWriter): void => {
      putGenericHeader(writer, O.OVS_FLOW_CMD_GET, O.OVS_FLOW_VERSION);
      putWord(writer, 7);
    };
    expect([...requester.dump({ type: FLOW, doing: "listing", write })]).toEqual([]);
    expect(lines()).toEqual([
      "netlink 1000 > nlctrl GETFAMILY (request ack), seq N, version 2, 36 bytes",
      '  FAMILY_NAME "ovs_flow"',
      "netlink 1000 < nlctrl NEWFAMILY, seq N, version 2, 44 bytes",
      '  FAMILY_NAME "ovs_flow"',
      "  FAMILY_ID 1c 00",
      "netlink 1000 < ack, seq N",
      "netlink 1000 > ovs_flow NEW (request ack create), seq N, version 1, datapath 7, 76 bytes",
      "  KEY",
      "    IN_PORT 01 00 00 00",
      "    ENCAP",
      "      ICMP 08",
      "  ACTIONS",
      "    OUTPUT 02 00 00 00",
      "    POP_VLAN",
      "    CLONE",
      "      RECIRC 03 00 00 00",
      "netlink 1000 < error EEXIST (file exists), seq N",
      '  MSG "no, really"',
      "  OFFS 18 00 00 00",
      "netlink 1000 > ovs_flow GET (request dump), seq N, version 1, datapath 7, 24 bytes",
      "netlink 1000 < done, seq N",
    ]);
  });

  test.each(["send", "writev", "sendmmsg"] as const)(
    "changes nothing of what is sent by %s, and tells every message",
    (transport) => {
      const { tracer: seen, lines } = tracer();
      const kernel = new ScriptedKernel();
      kernel.script(transport, -ENOBUFS);
      const socket = new NetlinkSocket(N.NETLINK_GENERIC, { calls: seen.observe(kernel) });
      const packing = {
        ack: "errors",
        transport,
        messagesPerDatagram: 4,
        bytesPerDatagram: 1 << 16,
      };
      const batch = batchOf("..x...x.xx");
      new Transactor(socket, { ...packing, ack: "errors" }).execute(batch);
      expect(statesOf(batch)).toBe("..x...x.xx");
      const found = lines();
      expect(found[0]).toBe(`netlink 1000 ! ${transport}: ENOBUFS`);
      expect(found.filter((line) => line.includes(" > ")).length).toBe(10);
      expect(found.filter((line) => line.includes("< error ENOENT")).length).toBe(4);
    },
  );

  test("tells what a thread sends as well", () => {
    const { tracer: seen, lines } = tracer();
    const kernel = new ScriptedKernel();
    const socket = new NetlinkSocket(N.NETLINK_GENERIC, { calls: kernel });
    const packing = { messagesPerDatagram: 4, bytesPerDatagram: 1 << 16, ack: "errors" } as const;
    const sender = new Transactor(socket, { ...packing, transport: "sendmmsg" });
    const batch = batchOf("..x...");
    expect(executeByThread(sender, batch, seen.observeThread(partSender(kernel)))).toBe("made");
    expect(statesOf(batch)).toBe("..x...");
    expect(lines().filter((line) => line.includes(" > ")).length).toBe(6);
    expect(lines().filter((line) => line.includes(" < ")).length).toBe(3);
  });

  test("of what is not asked for is none: sockets make the kernel's own calls", () => {
    expect(CALLS).toBe(KERNEL);
    const thread = partSender(new ScriptedKernel());
    expect(tracedThread(thread)).toBe(thread);
  });

  test("survives any bytes", () => {
    const text = new MessageText();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 20 }),
        (bytes, to) => {
          const whole = message(N.GENL_ID_CTRL + (to % 3), to << 4, 1, bytes);
          expect(text.linesOf(bytes, N.NETLINK_GENERIC)).toBeArray();
          expect(text.linesOf(whole, to === 0 ? N.NETLINK_ROUTE : N.NETLINK_GENERIC)).not.toEqual(
            [],
          );
        },
      ),
      PROPERTY,
    );
  });
});
