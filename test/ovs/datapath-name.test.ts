/** How a datapath may be named: by its name, or with the type that ovs-dpctl writes before it. */
import { expect, test } from "bun:test";
import { Datapath } from "../../src/index.ts";
import { MemoryKernel } from "../../src/testing/index.ts";

test("system@NAME is the kernel's datapath NAME: created, opened, set and deleted by it", () => {
  const kernel = new MemoryKernel();
  using made = Datapath.create("system@lab0", { kernel });
  expect(made.name).toBe("lab0");
  using opened = Datapath.open("system@lab0", { kernel });
  expect([opened.name, opened.info().name]).toEqual(["lab0", "lab0"]);
  expect(opened.set({ masksCacheSize: 512 }).masksCacheSize).toBe(512);
  opened.delete();
  expect(Datapath.list({ kernel })).toEqual([]);
});

test.each([
  [
    "netdev@lab0",
    'there is no datapath "netdev@lab0": those of the kernel have no type "netdev"; write "lab0" or "system@lab0"',
  ],
  [
    "system@lab1",
    "there is no datapath \"lab1\": 'millrace dp list' shows the existing ones, 'millrace dp add lab1' creates it",
  ],
])("%s: the error says what to write", (name, message) => {
  const kernel = new MemoryKernel();
  using made = Datapath.create("lab0", { kernel });
  expect(made.name).toBe("lab0");
  expect(() => Datapath.open(name, { kernel })).toThrow(message);
});
