import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { OVS_FLOW_ATTR_ACTIONS } from "../uapi/openvswitch.ts";
import { parseActions } from "./action/parse.ts";
import { completeKey } from "./key/complete.ts";
import { normalize } from "./key/normal-form.ts";
import { parseKey } from "./key/parse.ts";
import { KeyRecord } from "./key/record.ts";
import { UFID_SIZE, type UfidSeed, ufidSeed } from "./key/ufid.ts";
import { failUserspaceKey } from "./key/userspace-only.ts";
import type { PortNames } from "./ports.ts";
import type { EncodedLine } from "./shape/found-hole.ts";
import { Cursor } from "./text/cursor.ts";
import { parseUfid, takeUfidWord } from "./text/ufid.ts";
import { WordTable } from "./text/words.ts";
import { COLON, COMMA, HASH } from "./text/ascii.ts";
import { type SentUfid, writeMatch } from "./write.ts";

/** What to do with a flow: the verb of its line, or else of the load. */
export type LineVerb = "put" | "add" | "modify" | "delete";

/** How lines become requests. */
export type LineParserOptions = {
  /** Whether a flow whose line has no `ufid:` gets the hash of its key and mask. */
  readonly ufid: boolean;
  /** The verb of a line without one; `put` by default. */
  readonly mode?: LineVerb;
  readonly ports?: PortNames;
  /** The flows' owner, who is part of their UFIDs; none by default. */
  readonly owner?: string;
};

const VERBS: readonly LineVerb[] = ["add", "modify", "delete"];
const VERB_BYTES: readonly Uint8Array[] = VERBS.map((verb) => new TextEncoder().encode(verb));

/** What follows the key in a line of a dump, before its actions. */
const DUMP_WORDS: WordTable = new WordTable([
  "packets",
  "bytes",
  "used",
  "flags",
  "offloaded",
  "dp",
  "actions",
]);
const DUMP_ACTIONS = 6;
const DUMP_EXTRA: Uint8Array = new TextEncoder().encode(", dp-extra-info:");

const EXPECTED_STATISTICS = "actions:, or a flow's statistics";

/** The line before each thread's flows in the dump of a userspace datapath. */
const DUMP_HEADER: Uint8Array = new TextEncoder().encode("flow-dump from ");

/** The most names of unknown members that are kept. */
const MEMBERS_MAX = 16;
const MEMBER_LENGTH_MAX = 40;

const EXPECTED_NAME = "a key that names a flow: nothing of this one is matched";

/** The most values of a dump's statistics whose places are kept. */
const STATISTICS_MAX = 16;

/**
 * Reads whole lines, each independently, and remembers the places of the last line's parts.
 * Allocates nothing for a valid line.
 */
export class LineParser {
  /** The verb of the last line. */
  verb: LineVerb = "put";
  /** Whether the last line had actions; without them a modify keeps the flow's. */
  hasActions = false;
  /**
   * Whether the last line was from a dump that left out what a kernel requires; see
   * {@link completeKey}.
   */
  completed = false;
  /** Whether the last line was the header of a dump: `flow-dump from pmd on cpu core: 3`. */
  isHeader = false;
  /** Names of additional members in dumps of other datapaths, such as `dpe_packets`. */
  readonly members: Set<string> = new Set();
  readonly cursor: Cursor = new Cursor();

  readonly #record: KeyRecord = new KeyRecord();
  readonly #ufid: boolean;
  readonly #seed: UfidSeed;
  readonly #mode: LineVerb;
  readonly #ports: WatchedPorts | undefined;
  readonly #lineUfid: Uint8Array = new Uint8Array(UFID_SIZE);
  #lineUfidSize = UFID_SIZE;
  // The places of the last line's parts.
  #ufidStart = -1;
  #ufidEnd = 0;
  #keyStart = 0;
  readonly #statistics = new Int32Array(STATISTICS_MAX * 2);
  #statisticsCount = 0;
  #actionsStart = 0;
  #actionsEnd = 0;

  constructor(options: LineParserOptions) {
    this.#ufid = options.ufid;
    this.#seed = ufidSeed(options.owner);
    this.#mode = options.mode ?? "put";
    this.#ports = options.ports === undefined ? undefined : new WatchedPorts(options.ports);
  }

  /** Whether the last line had a `ufid:`. */
  get ownUfid(): boolean {
    return this.#ufidStart >= 0;
  }

  /**
   * Reads the cursor's line and appends its attributes to the writer.
   * @returns false for a blank line or a comment: nothing was written
   * @throws FlowSyntaxError without removing what was already written
   */
  parse(writer: AttributeWriter): boolean {
    const { cursor } = this;
    if (this.#ports !== undefined) this.#ports.used = false;
    this.#statisticsCount = 0;
    if (!this.parsePrefix()) return false;
    this.#keyStart = cursor.position;
    parseKey(cursor, this.#record, this.#ports);
    failUserspaceKey(this.#record, cursor);
    cursor.skipBlanks();
    this.hasActions = this.#seekActions(cursor);
    this.completed = cursor.isDump && completeKey(this.#record);
    normalize(this.#record);
    this.#actionsStart = cursor.position;
    this.#actionsEnd = cursor.end;
    const isDelete = this.verb === "delete";
    const keyBytes = writeMatch(writer, this.#record, this.#sentUfid());
    // As a delete it would be a flush.
    const isNameless = !this.ownUfid && !this.#ufid && !writer.failed && keyBytes === 0;
    if (isDelete && isNameless) cursor.fail(EXPECTED_NAME, this.#keyStart);
    if (isDelete) return true;
    if (!this.hasActions) {
      if (this.verb !== "modify") cursor.fail("actions, or drop");
      return true;
    }
    const actions = writer.nest(OVS_FLOW_ATTR_ACTIONS);
    parseActions(cursor, writer, this.#ports);
    writer.endNest(actions);
    return true;
  }

  /** Reads what precedes the key. @returns false if the line is blank, or a comment */
  parsePrefix(): boolean {
    const { cursor } = this;
    cursor.skipBlanks();
    const first = cursor.peek();
    this.isHeader = first === DUMP_HEADER[0] && cursor.takeWord(DUMP_HEADER);
    if (first < 0 || first === HASH || this.isHeader) return false;
    this.verb = this.#readVerb(cursor);
    this.#ufidStart = this.#readUfid(cursor) ? this.#ufidStart : -1;
    return true;
  }

  /** Whether the last line names a port, whose number may differ the next time. */
  get namesPort(): boolean {
    return this.#ports?.used === true;
  }

  /**
   * Describes the line parsed last, which was written to `writer` from `mark` on, for callers that
   * lay it out.
   * @returns undefined if the writer had no room
   */
  describe(
    bytes: Uint8Array,
    start: number,
    end: number,
    writer: AttributeWriter,
    mark: number,
  ): EncodedLine | undefined {
    if (writer.failed) return undefined;
    const after = writer.position;
    const message = writer.memory.u8.slice(mark, writer.position);
    return {
      bytes,
      start,
      end,
      ufidStart: this.#ufidStart,
      ufidEnd: this.#ufidEnd,
      keyStart: this.#keyStart,
      statistics: this.#statistics.subarray(0, this.#statisticsCount * 2),
      actionsStart: this.hasActions ? this.#actionsStart : this.#actionsEnd,
      actionsEnd: this.#actionsEnd,
      isDump: this.cursor.isDump,
      record: this.#record,
      seed: this.#seed,
      message,
      length: after - mark,
    };
  }

  #sentUfid(): SentUfid {
    if (!this.ownUfid) return this.#ufid ? this.#seed : "none";
    const size = this.#lineUfidSize;
    return size === UFID_SIZE ? this.#lineUfid : this.#lineUfid.subarray(0, size);
  }

  /** Reads a verb: a word before a blank. The name of a key is followed by a parenthesis. */
  #readVerb(cursor: Cursor): LineVerb {
    const start = cursor.position;
    const first = cursor.peek();
    if (first !== 0x61 && first !== 0x6d && first !== 0x64) return this.#mode;
    const length = cursor.word();
    if (cursor.atBlank()) {
      for (const [index, verb] of VERB_BYTES.entries()) {
        if (length > verb.length || !startsWith(verb, cursor.bytes, start, length)) continue;
        cursor.skipBlanks();
        return VERBS[index]!;
      }
    }
    cursor.position = start;
    return this.#mode;
  }

  #readUfid(cursor: Cursor): boolean {
    if (!takeUfidWord(cursor)) return false;
    this.#ufidStart = cursor.position;
    this.#lineUfidSize = parseUfid(cursor, this.#lineUfid);
    this.#ufidEnd = cursor.position;
    if (!cursor.atBlank() && cursor.peek() !== COMMA) cursor.fail("a comma or a space");
    cursor.skipSeparators();
    return true;
  }

  /** Moves the cursor to the first byte of the actions, and its end to their end. */
  #seekActions(cursor: Cursor): boolean {
    const { bytes } = cursor;
    for (let at = cursor.position; at < cursor.end; at++) {
      if (bytes[at] === HASH) cursor.end = at;
    }
    while (cursor.end > cursor.position && bytes[cursor.end - 1]! <= 0x20) cursor.end--;
    const start = cursor.position;
    cursor.isDump = cursor.word() > 0 && cursor.peek() === COLON;
    cursor.position = start;
    if (start >= cursor.end) return false;
    if (cursor.isDump) this.#skipStatistics(cursor);
    return true;
  }

  /**
   * Skips `packets:0, bytes:0, used:never, …, actions:` of a dump. Dumps of other datapaths have
   * more members: they are skipped too, unless they are misspelt or no `actions:` follows.
   */
  #skipStatistics(cursor: Cursor): void {
    let strangeAt = -1;
    let strange: string[] | undefined;
    for (;;) {
      cursor.word();
      const word = DUMP_WORDS.find(cursor);
      if (word < 0) {
        const name = cursor.wordText();
        const meant = DUMP_WORDS.nearest(name);
        if (name === "" || cursor.peek() !== COLON || meant !== undefined) {
          cursor.fail(EXPECTED_STATISTICS, cursor.wordStart, meant);
        }
        if (strange === undefined) strangeAt = cursor.wordStart;
        (strange ??= []).push(name.slice(0, MEMBER_LENGTH_MAX));
      }
      cursor.expect(COLON, "a colon");
      if (word === DUMP_ACTIONS) break;
      const start = cursor.position;
      while (!cursor.atBlank() && cursor.peek() !== COMMA) cursor.position++;
      if (this.#statisticsCount < STATISTICS_MAX) {
        this.#statistics[this.#statisticsCount * 2] = start;
        this.#statistics[this.#statisticsCount * 2 + 1] = cursor.position;
        this.#statisticsCount++;
      }
      cursor.skipSeparators();
      if (cursor.position < cursor.end) continue;
      if (strangeAt >= 0) failStrange(cursor, strangeAt, strange?.[0] ?? "");
      cursor.fail("actions:");
    }
    for (const name of strange ?? []) if (this.members.size < MEMBERS_MAX) this.members.add(name);
    this.#cutExtra(cursor);
  }

  /** `, dp-extra-info:…` may follow the actions of a dump. */
  #cutExtra(cursor: Cursor): void {
    for (let at = cursor.position; at + DUMP_EXTRA.length <= cursor.end; at++) {
      if (!startsWith(DUMP_EXTRA, cursor.bytes, at, DUMP_EXTRA.length)) continue;
      cursor.end = at;
      return;
    }
  }
}

/** `output:2` of OpenFlow looks like a member of a dump. */
function failStrange(cursor: Cursor, at: number, name: string): never {
  const { openFlowAction }: typeof import("./text/openflow.ts") = require("./text/openflow.ts");
  const hint = openFlowAction(name);
  if (hint === undefined) cursor.fail(EXPECTED_STATISTICS, at);
  cursor.fail(hint.expected, at, hint.suggestion);
}

/** Names of ports, which notes whether one was looked up. */
class WatchedPorts implements PortNames {
  used = false;
  readonly #names: PortNames;

  constructor(names: PortNames) {
    this.#names = names;
  }

  numberOf(name: string): number | undefined {
    this.used = true;
    return this.#names.numberOf(name);
  }

  nameOf(number: number): string | undefined {
    return this.#names.nameOf(number);
  }
}

function startsWith(word: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}
