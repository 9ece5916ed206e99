/*
 * Large buffers that a seed has made are zeroed and given to the next one: fresh memory costs a page fault for each page,
 * and takes most of the time of a seed otherwise.
 */

const BYTES_LEAST = 32 << 10;
const free = new Map<number, ArrayBuffer[]>();
let used: ArrayBuffer[] = [];
let isOn = false;

/** From now on buffers are used again. What a module keeps for good has to be made before. */
export function beginRecycling(): void {
  if (isOn) return;
  isOn = true;
  globalThis.ArrayBuffer = new Proxy(ArrayBuffer, {
    construct(target, [size, ...rest]: [number, ...unknown[]], newTarget): ArrayBuffer {
      if (rest.length > 0 || size < BYTES_LEAST)
        return Reflect.construct(target, [size, ...rest], newTarget);
      const found = free.get(size)?.pop();
      if (found !== undefined) new Uint8Array(found).fill(0);
      const buffer = found ?? new target(size);
      used.push(buffer);
      return buffer;
    },
  });
}

/** Nobody uses the buffers any more that were made since the last time. */
export function recycle(): void {
  for (const buffer of used) {
    const alike = free.get(buffer.byteLength);
    if (alike === undefined) free.set(buffer.byteLength, [buffer]);
    else alike.push(buffer);
  }
  used = [];
}
