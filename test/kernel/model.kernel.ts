import { expect } from "bun:test";
import { MemoryKernel } from "../../src/testing/index.ts";
import { Random } from "../../src/testing/random.ts";
import { OVS_FLOW_CMD_GET } from "../../src/uapi/openvswitch.ts";
import { NLM_F_DUMP } from "../../src/uapi/netlink.ts";
import { testUnless } from "../runner/skip.ts";
import { IS_UML } from "./lab.ts";
import { Asked, isOpen, mayChange } from "../testing/asked.ts";
import { type Operation, Operations } from "../testing/operations.ts";

/*
 * The kernel in memory against the one it is a model of: both get the same random requests, in the same datagrams, and
 * every errno, reply, dump and notice has to be the same.
 */

const COUNT = Number(process.env["MILLRACE_MODEL_OPERATIONS"] ?? 2000);
const isLong = process.env["MILLRACE_MODEL_OPERATIONS"] !== undefined;
const SEED = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? (isLong ? Date.now() & 0xffffff : 3));

/** Requests of a datagram, but for some, which go alone. */
const DATAGRAM = 16;
/** Requests between two kernels without flows. */
const ROUND = 1000;

const DUMP: Operation = {
  family: "ovs_flow",
  command: OVS_FLOW_CMD_GET,
  flags: NLM_F_DUMP,
  datapath: "own",
  attributes: new Uint8Array(0),
  about: "a dump",
};

const goesAlone = (operation: Operation): boolean =>
  (operation.flags & NLM_F_DUMP) === NLM_F_DUMP || mayChange(operation);

// The model is of Linux 6.1 as User Mode Linux has it.
testUnless(IS_UML ? undefined : "its kernel is not that of User Mode Linux")(
  `${COUNT} requests: the model says what the kernel says, seed ${SEED}`,
  () => {
    const random = new Random(SEED);
    for (let done = 0; done < COUNT;) {
      using real = new Asked();
      const kernel = new MemoryKernel({ seed: SEED });
      using model = new Asked(kernel);
      const operations = new Operations(random, 10 + random.below(60));
      for (const end = Math.min(COUNT, done + ROUND); done < end;) {
        const some: Operation[] = [];
        for (let i = 1 + random.below(DATAGRAM); i > 0 && !some.some(goesAlone); i--) {
          const next = operations.next();
          const isLeft = goesAlone(next) && (some.length > 0 || isOpen(kernel, next));
          if (!isLeft) some.push(next);
        }
        if (some.length === 0) continue;
        if (random.chance(10)) some.splice(0, some.length, DUMP);
        const where = {
          seed: SEED,
          done,
          asked: some.map(({ about, datapath }) => `${about} ${datapath}`),
        };
        const [said, expected] = [model.ask(some), real.ask(some)];
        if (!Bun.deepEquals(said, expected))
          expect({ ...where, said }).toEqual({ ...where, said: expected });
        done += some.length;
      }
    }
    expect(COUNT).toBeGreaterThan(0);
  },
  3_600_000,
);
