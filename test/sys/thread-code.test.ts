import { expect, test } from "bun:test";
import { threadFault, threadScript } from "../../src/sys/thread-code.ts";

test("a thread runs its module where that lies in the source", () => {
  const module = new URL("slow-thread.ts", import.meta.url);
  expect(threadScript("send", module)).toBe(module.href);
});

test("what a thread that fails says is one line", async () => {
  const script = URL.createObjectURL(new Blob(["\n\nthrow new TypeError('on purpose');"]));
  const message = await new Promise<string>((resolve) => {
    new Worker(script).addEventListener("error", (event: ErrorEvent) => resolve(event.message));
  });
  expect(message.split("\n").length).toBeGreaterThan(1);
  expect(threadFault(message)).toBe("TypeError: on purpose");
});

test("a message without a line that begins as one of an error stays as it is", () => {
  expect(threadFault("out of luck")).toBe("out of luck");
});
