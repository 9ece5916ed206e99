import { IdentitySet } from "../flow/identity-set.ts";
import { FlowLineEncoder, type FlowLineOptions } from "../flow/line.ts";
import { type FlowOrder, MaskOrder, orderOfFile, SAME_UFID } from "../flow/mask-order.ts";
import { decodeFlow, FLOW_BYTES_MAX, newFlowParts } from "../flow/parts.ts";
import { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import { AttributeWriter } from "../netlink/attribute-writer.ts";
import { PinnedMemory } from "../sys/memory.ts";
import type { DetectedSource } from "./detect.ts";
import type { FlowFeed } from "./feed.ts";
import { LaterFeed } from "./later-feed.ts";
import { changedWhileRead, isPlaced, OrderedSource, type PlacedSource } from "./ordered-source.ts";
import type { ByteSource } from "./source.ts";
import { type LineEncoder, TextFeed } from "./text-feed.ts";
import { LineReader } from "./text-lines.ts";

/** The most lines that are put into another order: each is remembered by some 100 bytes. */
const LINES_MAX = 1 << 20;

/** Makes what encodes lines of the format; the given encoder tells of the last line. */
type MakeEncoder = (flow: FlowLineEncoder) => LineEncoder;

/**
 * Opens lines in the order in which a kernel takes their flows fastest.
 * @returns that of the file, with the reason, if no other can be found
 */
export function orderedFeed(
  { source, format }: DetectedSource,
  options: FlowLineOptions,
): FlowFeed | FlowOrder {
  if (format === "msgpack") return orderOfFile("a flow set has the order of its compilation");
  if (!isPlaced(source)) return orderOfFile("the input cannot be read twice");
  if (format === "text") return new OrderedFeed(source, options, (flow) => flow);
  const { FlowJsonLineEncoder }: typeof import("../flow/json.ts") = require("../flow/json.ts");
  return new OrderedFeed(source, options, (flow) => new FlowJsonLineEncoder(flow));
}

/**
 * Flows, one per line, in the order in which a kernel takes them fastest. The input is read twice:
 * first only the masks of its flows, and then the lines, in the order that was found, or in their
 * own. What is no flow comes first.
 */
class OrderedFeed extends LaterFeed<PlacedSource> {
  readonly #options: FlowLineOptions;
  readonly #make: MakeEncoder;
  /** The first reading; undefined when it has ended. */
  #look: Look | undefined;

  /** @param source owned by the feed */
  constructor(source: PlacedSource, options: FlowLineOptions, make: MakeEncoder) {
    super(source);
    this.#options = options;
    this.#make = make;
    this.#look = new Look(source, options, make);
  }

  fill(): boolean | Promise<boolean> {
    if (this.feed !== undefined) return this.feed.fill();
    if (this.#look?.step() === true) return true;
    this.feed = this.#open();
    return this.feed.fill();
  }

  // Opens the input for the second reading.
  #open(): FlowFeed {
    const { order, places } = this.#look?.end() ?? { order: orderOfFile("") };
    this.#look = undefined;
    this.foundOrder = order;
    const again = this.source.reopen();
    again?.close();
    if (again === undefined) throw changedWhileRead(this.name);
    const encoder = this.#make(new FlowLineEncoder(this.#options));
    if (places === undefined) {
      this.source.rewind?.();
      return new TextFeed(this.source, this.#options, encoder);
    }
    const { starts, lines } = places;
    const source: ByteSource = new OrderedSource(this.source, starts, lines);
    return new TextFeed(source, this.#options, encoder, (place) => (lines[place - 1] ?? -1) + 1);
  }
}

/** Where lines begin, and where the last one ends, with its newline; and their indices in another order. */
type Places = { readonly starts: Float64Array; readonly lines: Int32Array };

/** The first reading: the masks of flows, and the places of lines. */
class Look {
  readonly #input: LineReader;
  readonly #flow: FlowLineEncoder;
  readonly #encoder: LineEncoder;
  readonly #writer = new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
  readonly #parts = newFlowParts();
  readonly #masks = new MaskOrder();
  /** Where line `i`, from 0, begins, and whether it is a flow. */
  #starts = new Float64Array(1024);
  #isFlow = new Uint8Array(1024);
  #lines = 0;
  #end = 0;
  /** Why the lines keep their order, if that is known. */
  #obstacle = "";
  readonly #ufids = new IdentitySet();
  #changesFlows = false;
  #givesUfids = false;
  #repeatsUfid = false;

  constructor(source: ByteSource, options: FlowLineOptions, make: MakeEncoder) {
    this.#input = new LineReader(source);
    this.#flow = new FlowLineEncoder(options);
    this.#encoder = make(this.#flow);
  }

  /** Reads a piece of the input. @returns false at its end */
  step(): boolean {
    const input = this.#input;
    while (this.#obstacle === "" && input.next()) this.#take();
    return this.#obstacle === "" && input.fill() === true;
  }

  /** What was found; the places only for another order. */
  end(): { readonly order: FlowOrder; readonly places?: Places } {
    if (this.#obstacle !== "") return { order: orderOfFile(this.#obstacle) };
    const { found, flows } = this.#masks.find(() => {
      if (this.#changesFlows) return "there are lines that modify or delete";
      return this.#givesUfids && this.#repeatsUfid ? SAME_UFID : "";
    });
    if (flows === undefined) return { order: found };
    const lines = new Int32Array(this.#lines);
    const lineOfFlow = new Int32Array(flows.length);
    let [others, seen] = [0, 0];
    for (let line = 0; line < this.#lines; line++) {
      if (this.#isFlow[line] === 1) lineOfFlow[seen++] = line;
      else lines[others++] = line;
    }
    for (let i = 0; i < flows.length; i++) lines[others + i] = lineOfFlow[flows[i]!]!;
    const starts = this.#starts.slice(0, this.#lines + 1);
    starts[this.#lines] = this.#end;
    return { order: found, places: { starts, lines } };
  }

  #take(): void {
    const { buffer, start, end, overlong } = this.#input;
    if (overlong || this.#lines === LINES_MAX) {
      this.#obstacle = overlong ? "a line is too long" : `there are more than ${LINES_MAX} lines`;
      return;
    }
    // A byte order mark is before the first line.
    if (this.#lines === 0) this.#end = start;
    if (this.#lines + 1 >= this.#starts.length) this.#grow();
    const line = this.#lines++;
    this.#starts[line] = this.#end;
    this.#end += end - start + 1;
    if (this.#addFlow(buffer, start, end, line + 1)) this.#isFlow[line] = 1;
  }

  // Whether a line is a flow that will be sent.
  #addFlow(buffer: Uint8Array, start: number, end: number, line: number): boolean {
    const writer = this.#writer;
    const { u8, view, size } = writer.memory;
    writer.reset(0, size);
    try {
      if (!this.#encoder.encode(buffer, start, end, line, writer)) return false;
    } catch (error) {
      if (error instanceof FlowSyntaxError) return false;
      throw error;
    }
    if (writer.failed) return false;
    const { verb, ownUfid } = this.#flow;
    if (verb === "modify" || verb === "delete") this.#changesFlows = true;
    decodeFlow({ bytes: u8, view, start: 0, end: writer.position }, this.#parts);
    if (ownUfid) this.#givesUfids = true;
    const { bytes, ufid } = this.#parts;
    if (ufid.start >= 0 && !this.#ufids.add(bytes, ufid.start, ufid.end)) this.#repeatsUfid = true;
    if (this.#masks.add(this.#parts, false)) return true;
    this.#obstacle = "a flow cannot be read";
    return false;
  }

  #grow(): void {
    const { length } = this.#starts;
    const starts = new Float64Array(length * 2);
    starts.set(this.#starts);
    this.#starts = starts;
    const isFlow = new Uint8Array(length * 2);
    isFlow.set(this.#isFlow);
    this.#isFlow = isFlow;
  }
}
