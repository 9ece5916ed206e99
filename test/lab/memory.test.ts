import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LabError } from "../../src/lab/error.ts";
import {
  DEFAULT_MIB,
  LEAST_MIB,
  mountOptions,
  parseMemAvailable,
  planMemory,
} from "../../src/lab/memory.ts";

const shm = { path: "/dev/shm", freeMiB: 64, executable: true };
const disk = { path: "/tmp", freeMiB: 50_000, executable: true };

describe("the plan for a guest's memory", () => {
  test("takes the first place with room", () => {
    expect(planMemory(undefined, 20_000, [{ ...shm, freeMiB: 8000 }, disk])).toEqual({
      mebibytes: DEFAULT_MIB,
      folder: "/dev/shm",
    });
  });

  test("goes elsewhere where a container's /dev/shm is small or noexec", () => {
    expect(planMemory(undefined, 20_000, [shm, disk]).folder).toBe("/tmp");
    const noexec = { ...shm, freeMiB: 8000, executable: false };
    expect(planMemory(undefined, 20_000, [noexec, disk]).folder).toBe("/tmp");
  });

  test("shrinks to the machine's free memory", () => {
    const { mebibytes } = planMemory(undefined, 2048, [disk]);
    expect(mebibytes).toBeLessThan(2048);
    expect(mebibytes).toBeGreaterThanOrEqual(LEAST_MIB);
  });

  test("refuses a size that was asked for and does not fit", () => {
    expect(() => planMemory(8192, 4096, [disk])).toThrow(LabError);
  });

  test("says what was looked at, and what mends it", () => {
    expect(() => planMemory(undefined, 20_000, [shm])).toThrow(
      /\/dev\/shm 64 MiB free[^]*--shm-size/,
    );
  });

  test("never plans more than there is, whatever the machine", () => {
    const place = fc.record({
      path: fc.constantFrom("/a", "/b"),
      freeMiB: fc.nat(100_000),
      executable: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.nat(100_000), fc.array(place, { maxLength: 4 }), (available, places) => {
        try {
          const plan = planMemory(undefined, available, places);
          const fits = places.some(
            ({ path, freeMiB, executable }) =>
              path === plan.folder && executable && freeMiB >= plan.mebibytes,
          );
          return fits && plan.mebibytes < available && plan.mebibytes >= LEAST_MIB;
        } catch (error) {
          const room = places.filter(({ executable }) => executable);
          return (
            error instanceof LabError &&
            room.every(({ freeMiB }) => Math.min(freeMiB, available) < LEAST_MIB + 256)
          );
        }
      }),
      { seed: 7 },
    );
  });
});

test("the available memory is read in MiB", () => {
  expect(parseMemAvailable("MemTotal: 9 kB\nMemAvailable:   2097152 kB\n")).toBe(2048);
});

test("a path's mount is the longest that holds it, the last of equals", () => {
  const mounts =
    "/dev/sda / ext4 rw 0 0\ntmpfs /dev tmpfs rw 0 0\ntmpfs /dev/shm tmpfs rw,noexec 0 0\n";
  expect(mountOptions(mounts, "/dev/shm/x")).toContain("noexec");
  expect(mountOptions(mounts, "/dev/shmx")).not.toContain("noexec");
});
