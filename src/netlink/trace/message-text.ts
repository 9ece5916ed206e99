import { errnoName, errnoText } from "../../sys/errno.ts";
import * as N from "../../uapi/netlink.ts";
import { align } from "../align.ts";
import { AttributeReader, decodeString } from "../attribute-reader.ts";
import { GENL_HEADER, NLMSG_HEADER } from "../message.ts";
import { ACK, FAMILIES, type FamilyScheme, type Scheme, UNKNOWN } from "./names.ts";

/** The most bytes of a value that are shown. */
const SHOWN_MAX = 64;

/** A family, whose number this kernel assigned. */
type Family = { readonly name: string; readonly scheme: FamilyScheme | undefined };

/** A message in a datagram. */
type Message = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: number;
  readonly end: number;
};

/** Prints messages in words. It learns the families' numbers from the controller's messages. */
export class MessageText {
  readonly #families = new Map<number, Family>([
    [N.GENL_ID_CTRL, { name: "nlctrl", scheme: FAMILIES.get("nlctrl") }],
  ]);

  /** The lines for the messages of one datagram. */
  linesOf(datagram: Uint8Array, protocol: number): string[] {
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    const lines: string[] = [];
    let at = 0;
    while (at + NLMSG_HEADER <= datagram.length) {
      const length = view.getUint32(at, true);
      const end = at + length;
      if (length < NLMSG_HEADER || end > datagram.length) break;
      const message: Message = {
        bytes: datagram,
        view,
        type: view.getUint16(at + 4, true),
        flags: view.getUint16(at + 6, true),
        sequence: view.getUint32(at + 8, true),
        payload: at + NLMSG_HEADER,
        end,
      };
      lines.push(...this.#messageLines(message, protocol));
      at += align(length);
    }
    if (at < datagram.length) lines.push(`${datagram.length - at} bytes that are not a message`);
    return lines;
  }

  #messageLines(message: Message, protocol: number): string[] {
    const { type, sequence, bytes, payload, end } = message;
    if (type === N.NLMSG_ERROR) return ackLines(message);
    if (type === N.NLMSG_DONE) {
      const errno = end - payload >= 4 ? -message.view.getInt32(payload, true) : 0;
      return [`done${errno === 0 ? "" : `: ${errnoName(errno)}`}, seq ${sequence}`];
    }
    if (protocol !== N.NETLINK_GENERIC || type < N.GENL_ID_CTRL || end - payload < GENL_HEADER) {
      const head = `protocol ${protocol} type ${type}${flagWords(message, "")}`;
      return [`${head}, seq ${sequence}: ${hex(bytes, payload, end)}`];
    }
    return this.#genericLines(message);
  }

  #genericLines(message: Message): string[] {
    const { type, sequence, bytes, view, payload, end } = message;
    const { name, scheme } = this.#families.get(type) ?? {
      name: `family ${type}`,
      scheme: undefined,
    };
    if (type === N.GENL_ID_CTRL) this.#learn(message);
    const command = bytes[payload] ?? 0;
    const word = scheme?.commandOf(command) ?? `command ${command}`;
    let head = `${name} ${word}${flagWords(message, word)}, seq ${sequence}`;
    head += `, version ${bytes[payload + 1] ?? 0}`;
    let start = payload + GENL_HEADER;
    if (scheme !== undefined && scheme.header === 4 && start + 4 <= end) {
      head += `, datapath ${view.getInt32(start, true)}`;
      start += 4;
    }
    head += `, ${end - payload + NLMSG_HEADER} bytes`;
    return [head, ...attributeLines(bytes, start, end, scheme?.attributes ?? UNKNOWN)];
  }

  /** Notes the family number and name in a message of the controller. */
  #learn({ bytes, view, payload, end }: Message): void {
    const reader = new AttributeReader().reset(bytes, payload + GENL_HEADER, end);
    let id = -1;
    let name = "";
    while (reader.next()) {
      if (reader.type === N.CTRL_ATTR_FAMILY_ID && reader.length >= 2)
        id = view.getUint16(reader.start, true);
      else if (reader.type === N.CTRL_ATTR_FAMILY_NAME)
        name = decodeString(bytes, reader.start, reader.start + reader.length);
    }
    if (id >= 0 && name !== "") this.#families.set(id, { name, scheme: FAMILIES.get(name) });
  }
}

/** N.NLMSG_ERROR: an ack, or an errno and the extended ack. */
function ackLines({ bytes, view, flags, sequence, payload, end }: Message): string[] {
  const errno = end - payload >= 4 ? -view.getInt32(payload, true) : 0;
  const word = errno === 0 ? "ack" : `error ${errnoName(errno)} (${errnoText(errno)})`;
  const head = `${word}, seq ${sequence}`;
  const request = payload + 4;
  if ((flags & N.NLM_F_ACK_TLVS) === 0 || request + NLMSG_HEADER > end) return [head];
  const echoed = (flags & N.NLM_F_CAPPED) === 0 ? view.getUint32(request, true) : NLMSG_HEADER;
  return [head, ...attributeLines(bytes, request + align(echoed), end, ACK)];
}

/** One line per attribute of a list, indented below its parent. */
function attributeLines(
  bytes: Uint8Array,
  from: number,
  to: number,
  { nameOf, inside }: Scheme,
): string[] {
  const lines: string[] = [];
  const reader = new AttributeReader().reset(bytes, from, to);
  while (reader.next()) {
    const { type, start, length } = reader;
    const end = start + length;
    const nests = ((bytes[start - 1] ?? 0) << 8) & N.NLA_F_NESTED;
    const scheme = inside(type) ?? (nests === 0 ? undefined : UNKNOWN);
    if (scheme === undefined) {
      lines.push(`${nameOf(type)} ${valueText(bytes, start, end)}`.trimEnd());
    } else {
      lines.push(nameOf(type), ...attributeLines(bytes, start, end, scheme));
    }
  }
  if (reader.malformed) lines.push("(the rest is not a list of attributes)");
  return lines.map((line) => `  ${line}`);
}

/** A zero-terminated string as text; other bytes, and short values, in hexadecimal. */
function valueText(bytes: Uint8Array, start: number, end: number): string {
  const isText =
    end - start > 2 &&
    bytes[end - 1] === 0 &&
    bytes.subarray(start, end - 1).every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText ? JSON.stringify(decodeString(bytes, start, end)) : hex(bytes, start, end);
}

function hex(bytes: Uint8Array, start: number, end: number): string {
  const shown = bytes.subarray(start, Math.min(end, start + SHOWN_MAX));
  const pairs = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return end - start > SHOWN_MAX ? `${pairs} … (${end - start} bytes)` : pairs;
}

/** Flags in words. The upper bits mean one thing in a GET and another in a NEW. */
function flagWords({ flags }: Message, command: string): string {
  const words: string[] = [];
  let left = flags;
  const take = (flag: number, word: string): void => {
    if ((left & flag) !== flag) return;
    left &= ~flag;
    words.push(word);
  };
  take(N.NLM_F_REQUEST, "request");
  take(N.NLM_F_MULTI, "multi");
  take(N.NLM_F_ACK, "ack");
  take(N.NLM_F_ECHO, "echo");
  take(N.NLM_F_DUMP_INTR, "dump-intr");
  if (!command.startsWith("NEW")) take(N.NLM_F_DUMP, "dump");
  take(N.NLM_F_EXCL, "excl");
  take(N.NLM_F_CREATE, "create");
  if (left !== 0) words.push(`0x${left.toString(16)}`);
  return words.length === 0 ? "" : ` (${words.join(" ")})`;
}
