import type { KernelFeatures } from "../flow/rules/features.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { type GenericRequest, NetlinkChannel, type Reply } from "../netlink/channel.ts";
import { Cursor } from "../netlink/cursor.ts";
import { GENL_HEADER, type MessageReader, putWord } from "../netlink/message.ts";
import type { OnReply } from "../netlink/request.ts";
import { MillraceError } from "../sys/errors.ts";
import { OVS_PREFIX } from "./message.ts";

/** A command to one of the Open vSwitch families. */
type OvsRequest = Omit<GenericRequest, "write"> & {
  /** `dp_ifindex` of struct ovs_header; 0 if an attribute names the datapath. */
  readonly datapath: number;
  /** Writes the attributes. */
  readonly write?: (writer: AttributeWriter) => void;
};

/** The way to the Open vSwitch families of one network namespace: requests have `struct ovs_header`. */
export class OvsChannel extends NetlinkChannel {
  /** The kernel's features for flows, once probed; see `featuresOf`. */
  features: KernelFeatures | undefined;

  /**
   * Sends one command and waits for its ack.
   * @throws NetlinkError; MillraceError `NO_PERMISSION`, `NO_MODULE`
   */
  transact(request: OvsRequest, onReply?: OnReply): void {
    this.transactGeneric(withHeader(request), onReply);
  }

  /** Dumps; each message is valid until the next. Leaving the loop early closes the socket. */
  dump(request: OvsRequest): Cursor<OvsMessage> {
    const replies: Cursor<Reply> = this.dumpGeneric(withHeader(request));
    let found: OvsMessage | undefined;
    return new Cursor(
      () => {
        const reply = replies.take();
        if (reply === undefined) return undefined;
        const { u8, view } = reply.memory;
        found ??= { bytes: u8, view, datapath: 0, start: 0, end: 0 };
        setMessage(found, reply.message);
        return found;
      },
      () => replies.return(),
    );
  }

  protected override noFamily(name: string): MillraceError {
    return new MillraceError(
      "NO_MODULE",
      `this kernel has no Open vSwitch datapath (no netlink family ${name}): load it with ` +
        "'sudo modprobe openvswitch', or work in a throw-away kernel with 'millrace lab shell'",
    );
  }
}

function withHeader({ datapath, write, ...request }: OvsRequest): GenericRequest {
  return {
    ...request,
    write: (writer) => {
      putWord(writer, datapath);
      write?.(writer);
    },
  };
}

/** One message of a family: its attributes are `bytes[start..end)`. */
export type OvsMessage = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** `dp_ifindex` of struct ovs_header. */
  datapath: number;
  start: number;
  end: number;
};

/** Points `message` to the current message of `reader`, in the same memory. */
export function setMessage(message: OvsMessage, reader: MessageReader): void {
  message.start = Math.min(reader.payload + OVS_PREFIX, reader.end);
  message.end = reader.end;
  message.datapath =
    message.start === reader.payload + OVS_PREFIX
      ? message.view.getInt32(reader.payload + GENL_HEADER, true)
      : 0;
}

/** Adapts a function of an {@link OvsMessage} to the replies of {@link OvsChannel.transact}. */
export function onMessage(use: (message: OvsMessage) => void): OnReply {
  return (memory, reader) => {
    const message = { bytes: memory.u8, view: memory.view, datapath: 0, start: 0, end: 0 };
    setMessage(message, reader);
    use(message);
  };
}
