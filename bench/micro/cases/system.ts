import { close, iovMax } from "../../../src/sys/libc.ts";
import type { MicroCase } from "./case.ts";

/** The cost of calls from JavaScript to libc and to the kernel. */
export function systemCases(count: number): MicroCase[] {
  const callCase = (name: string, makeCall: () => number): MicroCase => ({
    group: "call",
    name,
    unit: "call",
    count,
    run: () => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += makeCall();
      return sum;
    },
  });
  return [
    callCase("libc (sysconf)", iovMax),
    callCase("system call (close of no descriptor)", () => close(-1)),
  ];
}
