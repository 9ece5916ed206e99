import { EMSGSIZE } from "../sys/errno.ts";
import { MillraceError, SystemCallError } from "../sys/errors.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../uapi/netlink.ts";
import { ackErrno, decodeExtendedAck } from "./ack.ts";
import type { AttributeWriter } from "./attribute-writer.ts";
import { Batch } from "./batch.ts";
import { Cursor } from "./cursor.ts";
import { NetlinkError } from "./errors.ts";
import { type MessageReader, setSequence } from "./message.ts";
import { Receiver } from "./receiver.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Room for one attribute list of the maximum length, besides key and mask. */
const REQUEST_BYTES = 256 << 10;

/**
 * The longest wait. A kernel that has not answered by then never will: replies are queued before a
 * send returns.
 */
const REPLY_TIMEOUT_MS = 10_000;

/** The meaning of NLM_F_DUMP_INTR. */
const CHANGED = "what was dumped changed meanwhile, and may lack something: try again";

/** One request: its type, its content, and what it does in words. */
export type Request = {
  readonly type: number;
  /** Flags in addition to NLM_F_REQUEST. */
  readonly flags?: number;
  /** What is being done, as error messages say it: "creating the datapath lab0". */
  readonly doing: string;
  /** Writes what follows the netlink header. */
  readonly write: (writer: AttributeWriter) => void;
};

/** Called with one reply; its bytes are valid until the next one. */
export type OnReply = (memory: PinnedMemory, message: MessageReader) => void;

/**
 * Single requests and dumps over one socket, for everything but loads: one request at a time, each
 * error thrown. Only one caller may use it at a time.
 */
export class Requester implements Disposable {
  readonly socket: NetlinkSocket;
  readonly #request = new Batch(1, REQUEST_BYTES);
  readonly #receiver = new Receiver();
  /** A request was sent, and its answer is not complete. */
  #open = false;

  constructor(socket: NetlinkSocket) {
    this.socket = socket;
  }

  /** Whether a dump or a request was left before its end: the socket may still hold its replies. */
  get busy(): boolean {
    return this.#open;
  }

  /**
   * Sends one request and waits for its ack.
   * @param onReply called for each message before the ack
   * @throws NetlinkError if the kernel refuses; SystemCallError
   */
  transact(request: Request, onReply?: OnReply): void {
    this.#receiver.expectLong(true);
    const sequence = this.#send(request, NLM_F_ACK);
    this.#open = true;
    for (;;) {
      const message = this.#receiver.next(this.socket, REPLY_TIMEOUT_MS);
      if (message.sequence !== sequence) continue;
      if (message.type === NLMSG_ERROR) {
        this.#open = false;
        this.#throwError(message, request.doing);
        return;
      }
      onReply?.(this.#receiver.memory, message);
    }
  }

  /**
   * Sends a dump request and gives its messages one by one. The object given is the same each time
   * and its bytes are valid until the next one. A dump left early makes the requester {@link busy}.
   * @throws NetlinkError, also if the kernel's NLMSG_DONE carries an errno; MillraceError
   * `UNSOUND_DUMP`, after the last message, if the kernel reports that the objects changed during
   * the dump
   */
  dump(request: Request): Cursor<MessageReader> {
    const { memory } = this.#receiver;
    let sequence = -1;
    let interrupted = false;
    return new Cursor(() => {
      if (sequence < 0) {
        this.#receiver.expectLong(false);
        sequence = this.#send(request, NLM_F_DUMP);
        this.#open = true;
      }
      for (;;) {
        const message = this.#receiver.next(this.socket, REPLY_TIMEOUT_MS);
        if (message.sequence !== sequence) continue;
        // `nl_dump_check_consistent` marks the first message after the change.
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type !== NLMSG_DONE && message.type !== NLMSG_ERROR) return message;
        this.#open = false;
        if (message.payload + 4 <= message.end && memory.i32[message.payload >> 2] !== 0) {
          this.#throwError(message, request.doing);
        }
        if (interrupted) throw new MillraceError("UNSOUND_DUMP", `${request.doing}: ${CHANGED}`);
        return undefined;
      }
    });
  }

  /** The memory that holds the messages of {@link dump} and {@link transact}. */
  get replies(): PinnedMemory {
    return this.#receiver.memory;
  }

  close(): void {
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #throwError(message: MessageReader, doing: string): void {
    const errno = ackErrno(this.#receiver.memory, message);
    if (errno === 0) return;
    throw new NetlinkError(doing, errno, decodeExtendedAck(this.#receiver.memory, message));
  }

  #send(request: Request, flags: number): number {
    const batch = this.#request;
    batch.clear();
    this.#receiver.clear();
    batch.begin(request.type, NLM_F_REQUEST | flags | (request.flags ?? 0));
    request.write(batch.writer);
    if (!batch.commit(0)) throw new SystemCallError("send", EMSGSIZE, request.doing);
    const sequence = this.socket.takeSequences(1);
    setSequence(batch.memory, 0, sequence);
    const sent = this.socket.send(batch.memory.address, batch.bytes);
    if (sent < 0) throw new SystemCallError("send", -sent, request.doing);
    return sequence;
  }
}
