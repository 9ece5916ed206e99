import type { CommandTable } from "./program.ts";

/**
 * Every command, in the order in which help shows them. Only the named command is imported:
 * starting Bun takes 8 ms, each library several more.
 */
export const COMMANDS: CommandTable = {
  load: {
    summary: "load flows from a file into a datapath",
    load: async () => (await import("./commands/load.ts")).loadCommand,
  },
  dump: {
    summary: "print the flows of a datapath; every dump loads again",
    load: async () => (await import("./commands/dump.ts")).dumpCommand,
  },
  compile: {
    summary: "compile flows into a flow set, which loads faster",
    load: async () => (await import("./commands/compile.ts")).compileCommand,
  },
  snapshot: {
    summary: "save the flows and ports of a datapath in a file",
    load: async () => (await import("./commands/snapshot.ts")).snapshotCommand,
  },
  restore: {
    summary: "restore the flows of a snapshot in a datapath",
    load: async () => (await import("./commands/restore.ts")).restoreCommand,
  },
  diff: {
    summary: "show how two sets of flows differ: datapaths or files",
    load: async () => (await import("./commands/diff.ts")).diffCommand,
  },
  sync: {
    summary: "make a datapath hold the flows of a file",
    load: async () => (await import("./commands/sync.ts")).syncCommand,
  },
  verify: {
    summary: "check whether a datapath holds the flows of a file",
    load: async () => (await import("./commands/verify.ts")).verifyCommand,
  },
  sample: {
    summary: "write flows for experiments",
    load: async () => (await import("./commands/sample.ts")).sampleCommand,
  },
  dp: {
    summary: "add, delete, change, list and show datapaths",
    load: async () => (await import("./commands/dp.ts")).dpCommand,
  },
  port: {
    summary: "add, delete, move and list the ports of a datapath",
    load: async () => (await import("./commands/port.ts")).portCommand,
  },
  flow: {
    summary: "get, delete and flush flows",
    load: async () => (await import("./commands/flow.ts")).flowCommand,
  },
  dpctl: {
    summary: "ovs-dpctl's commands, as a drop-in replacement",
    load: async () => (await import("./commands/dpctl.ts")).dpctlCommand,
  },
  top: {
    summary: "show the busiest flows of a datapath, live",
    load: async () => (await import("./commands/top.ts")).topCommand,
  },
  completion: {
    summary: "print a script that lets a shell complete these commands",
    load: async () => {
      const { completionCommand } = await import("./commands/completion.ts");
      return () => completionCommand(COMMANDS);
    },
  },
  meter: {
    summary: "set, get and delete the meters of a datapath",
    load: async () => (await import("./commands/meter.ts")).meterCommand,
  },
  "ct-limit": {
    summary: "set, get and delete limits of connections",
    load: async () => (await import("./commands/ct-limit.ts")).ctLimitCommand,
  },
  monitor: {
    summary: "show changes of datapaths, ports and flows as they happen",
    load: async () => (await import("./commands/monitor.ts")).monitorCommand,
  },
  upcalls: {
    summary: "show packets that match no flow, as they arrive",
    load: async () => (await import("./commands/upcalls.ts")).upcallsCommand,
  },
  lab: {
    summary: "run commands in a throw-away kernel that has the datapath",
    load: async () => (await import("./commands/lab.ts")).labCommand,
  },
  doctor: {
    summary: "check what this machine has and lacks, and how to fix it",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  demo: {
    summary: "load 100,000 flows into a throw-away kernel",
    load: async () => (await import("./commands/demo.ts")).demoCommand,
  },
  bench: {
    summary: "measure the speed of millrace and other programs",
    load: async () => (await import("./commands/bench.ts")).benchCommand,
  },
};
