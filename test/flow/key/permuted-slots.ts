import { plugin } from "bun";
import { readFileSync } from "node:fs";

/**
 * A program that prints the UFIDs of keys, one per line of input, computed with the keys in
 * permuted slots. Its argument is the permutation.
 */
const seed = Number(process.argv[2]);

plugin({
  name: "other slots",
  setup(build) {
    build.onLoad({ filter: /\/(metadata|header)-keys\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const contents = source.replace(
        /^export const (\w+): readonly KeyRow\[\] = (\[[^]*^\]);$/m,
        "export const $1: readonly KeyRow[] = shuffled($2);",
      );
      return { contents: `${contents}\n${SHUFFLED}`, loader: "ts" };
    });
  },
});

/** Fisher-Yates, with a small generator of its own. */
const SHUFFLED = `
function shuffled(rows: readonly KeyRow[]): readonly KeyRow[] {
  const all = [...rows];
  let state = ${seed};
  for (let i = all.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const j = (state >>> 8) % (i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
`;

const { KEYS } = await import("../../../src/flow/key/table.ts");
const { keyOf, normalized, ufidOf } = await import("../harness.ts");
const keys = (await Bun.stdin.text()).split("\n");
console.log(KEYS.map(({ name }) => name).join());
for (const key of keys) console.log(ufidOf(normalized(keyOf(key))));
