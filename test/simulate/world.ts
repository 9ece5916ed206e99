import { Datapath } from "../../src/datapath.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import type { DatapathState } from "../../src/testing/datapath-state.ts";
import { readExactKey } from "../../src/testing/flow-match.ts";
import { MemoryKernel } from "../../src/testing/index.ts";
import { Random } from "../../src/testing/random.ts";
import type { Request } from "../../src/testing/wire.ts";
import { NLM_F_ACK, NLM_F_DUMP } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_CMD_GET, OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";
import { type Match, Model, keyText } from "../load/truth.ts";
import { type Fault, makeFaults, type Rehash } from "./faults.ts";
import { History, stateOf } from "./history.ts";
import { meaningOf, randomMatches } from "./lines.ts";
import { Crash, must } from "./violation.ts";

const NAME = "sim0";
const NOW = performance.now.bind(performance);
const SLEEP = Bun.sleepSync.bind(Bun);
/** Behind struct nlmsghdr. */
const PAYLOAD_AT = 16;
const BUFFER_BYTES = 8 << 20;
const SLEEP_LEAST_MS = 0.001;
const ACTIONS = ["0800010001000000", "0800010002000000", "0800010003000000"] as const;

/** Whether a request is a dump, or the read of one flow. */
function isAlone({ flags, bytes }: Request): boolean {
  const isDump = (flags & NLM_F_DUMP) === NLM_F_DUMP;
  return isDump || (bytes[PAYLOAD_AT] === OVS_FLOW_CMD_GET && (flags & NLM_F_ACK) !== 0);
}

/** One kernel, a program that uses it, and all that happens there. */
export class World {
  readonly kernel: MemoryKernel;
  readonly matches: readonly Match[];
  dp: Datapath;
  history: History;
  /** Of all that the kernel was asked, but for numbers of messages. */
  digest = 0;
  /**
   * Requests to the number that the family of flows had before the module was loaded anew, since {@link begin}; but for
   * dumps, and reads of a single flow: they may look for a reason, behind the outcome.
   */
  staleRequests = 0;
  /** Pieces of dumps that said that something changed, since {@link begin}. */
  interruptedPieces = 0;
  /** What `performance.now` says. */
  clock = 1000;
  readonly #flowFamilies = new Set<number>();
  #until = 0;
  #act: (() => void) | undefined;
  readonly #byMatch = new Map<string, Match>();

  constructor(seed: number) {
    const random = new Random(seed);
    this.kernel = new MemoryKernel({ seed });
    this.matches = randomMatches(random);
    for (const match of this.matches)
      this.#byMatch.set(meaningOf(`${keyText(match)} 1`).match, match);
    this.kernel.onRequest = (request, errno) => {
      const { type, flags, bytes } = request;
      this.digest = Bun.hash.crc32(
        bytes.subarray(PAYLOAD_AT),
        this.digest ^ (type + flags * 65_536),
      );
      this.#goOn();
      const flows = this.kernel.families.idOf(OVS_FLOW_FAMILY);
      if (type === flows) {
        this.#flowFamilies.add(type);
        this.history.onFlowRequest(request, errno);
      } else if (this.#flowFamilies.has(type) && !isAlone(request)) this.staleRequests++;
    };
    this.kernel.onWait = (milliseconds) => {
      this.clock += milliseconds;
    };
    this.history = new History(undefined);
    this.dp = this.#create();
  }

  /** The datapath in the kernel; undefined where it is gone. */
  get state(): DatapathState | undefined {
    return this.kernel.datapaths.byName(NAME);
  }

  /** Runs something with faults, and forgets them. @returns what it threw where that is the program's end */
  async with(
    faults: readonly Fault[],
    random: Random,
    run: () => void | Promise<void>,
  ): Promise<Error | undefined> {
    const clock = faults.includes("clock")
      ? random.of(["still", "jumps", "back"] as const)
      : "runs";
    const now = (): number => this.#tick(clock, random);
    // However short it is, time passes: less would be lost in the digits of the clock.
    const sleep = (milliseconds: number | Date): void => {
      this.clock += Math.max(SLEEP_LEAST_MS, Number(milliseconds));
    };
    Object.defineProperty(performance, "now", { value: now, configurable: true });
    Bun.sleepSync = sleep;
    this.kernel.faults = faults.length === 0 ? {} : makeFaults(faults, random, this);
    try {
      await run();
      return undefined;
    } catch (error) {
      // What the library throws is its own kind of error, whatever the kernel did.
      if (error instanceof Crash || error instanceof MillraceError) return error;
      throw error;
    } finally {
      Object.defineProperty(performance, "now", { value: NOW, configurable: true });
      Bun.sleepSync = SLEEP;
      this.kernel.faults = {};
      this.kernel.limitReceiveBuffers(BUFFER_BYTES);
    }
  }

  /** Does something once the kernel has carried out so many requests more. */
  interleave(requests: number, act: (() => void) | undefined): void {
    this.#until = requests;
    this.#act = act;
  }

  /** Deletes all flows, which are no line's of the pool. */
  clear(): void {
    this.begin().mayFlush = true;
    this.dp.flush();
  }

  /** A new history from now on. */
  begin(): History {
    this.staleRequests = 0;
    this.interruptedPieces = 0;
    this.history = new History(this.state?.table);
    return this.history;
  }

  /** The program ends, and begins again. */
  restart(): void {
    this.dp.close();
    must(
      this.kernel.portIds().size === 0,
      () => `${this.kernel.portIds().size} sockets are left open`,
    );
    this.dp =
      this.state === undefined ? this.#create() : Datapath.open(NAME, { kernel: this.kernel });
  }

  /** Somebody deletes the datapath. */
  loseDatapath(): void {
    const { state } = this;
    if (state !== undefined) this.kernel.datapaths.remove(state);
  }

  /** Another program changes, deletes or puts a flow. */
  actAsOther(random: Random): void {
    const { state, history } = this;
    if (state === undefined) return;
    const { table } = state;
    const flow = table.flows[random.below(table.flows.length)];
    history.byOther = true;
    if (flow !== undefined && random.chance(50)) table.remove(flow);
    else if (flow !== undefined) table.setActions(flow, Uint8Array.fromHex(random.of(ACTIONS)));
    history.byOther = false;
  }

  /**
   * The table is hashed anew: a dump that walks it goes on in another order, or elsewhere.
   * @returns by how many flows the walk is moved
   */
  rehash(random: Random, way: Rehash): number {
    const by = 1 + random.below(5);
    if (way !== "shuffled") return way === "back" ? -by : by;
    random.shuffle(this.state?.table.flows ?? []);
    return 0;
  }

  /** A model of the flows that are there now. */
  model(): Model {
    const model = new Model();
    for (const flow of this.state?.table.flows ?? []) {
      const match = this.#byMatch.get(flow.match);
      must(match !== undefined, () => `a flow is there that nobody put: ${flow.match}`);
      if (match === undefined) continue;
      const { actions, ufid } = stateOf(flow);
      model.flows.push({ match, ufid, actions: String(Number.parseInt(actions.slice(8, 10), 16)) });
    }
    return model;
  }

  /** Whether packets with this key have a flow. */
  hasFlowFor(key: Uint8Array): boolean {
    const exact = readExactKey(key);
    return exact !== undefined && this.state?.table.lookUp(exact) !== undefined;
  }

  #goOn(): void {
    const act = this.#act;
    if (act === undefined || this.#until-- > 0) return;
    this.#act = undefined;
    act();
  }

  #create(): Datapath {
    const dp = Datapath.create(NAME, { kernel: this.kernel });
    dp.addPort("sim1", { type: "internal" });
    dp.addPort("sim2", { type: "internal" });
    const { state } = this;
    this.history.isAnew = true;
    if (state !== undefined) {
      state.table.onChange = (change, flow) => this.history.onChange(change, flow);
    }
    return dp;
  }

  #tick(clock: "still" | "jumps" | "back" | "runs", random: Random): number {
    if (clock === "runs") this.clock += 0.01;
    else if (clock === "jumps" && random.chance(10)) this.clock += random.below(100_000);
    else if (clock === "back" && random.chance(10)) this.clock += random.below(2000) - 1000;
    return this.clock;
  }
}
