import { FlowTemplate } from "../../src/flow/template.ts";
import { statesOf } from "./history.ts";
import type { Operation } from "./operation.ts";
import { must } from "./violation.ts";
import type { World } from "./world.ts";

// Rows of a template mean what their lines of text mean, be a value zero or none at all.

const TUNNEL = "dst=10.0.0.9,ttl=64,flags()),in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) 2";

/** Templates, and values for their one hole. */
const TEMPLATES: readonly [Template, ...Template[]] = [
  { text: `tunnel(tun_id=1,src={v},${TUNNEL}`, values: ["0.0.0.0", "10.0.0.1", "300.0.0.1"] },
  {
    text: `tunnel(tun_id=1,src=10.0.0.1,tp_src={v},${TUNNEL}`,
    values: ["0", "1", "4789", "65536"],
  },
  { text: "in_port(1),eth(),eth_type({v}) 2", values: ["0", "0x0000", "0x0806", "0x88cc", "x"] },
  {
    text: "in_port(1),eth(),eth_type(0x0800),ipv4(src={v},frag=no) 2",
    values: ["0.0.0.0", "10.0.0.1", "10.0.0.2", ""],
  },
  { text: "in_port({v}),eth() 2", values: ["0", "1", "2", "65536"] },
  { text: "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) {v}", values: ["0", "1", "2", "drop?"] },
];
type Template = { readonly text: string; readonly values: readonly [string, ...string[]] };

const ROWS_MOST = 8;

export const TEMPLATE: Operation = {
  name: "template",
  weight: 2,
  run: (world, _step, random) => {
    const { text, values } = random.of(TEMPLATES);
    const rows = Array.from({ length: 1 + random.below(ROWS_MOST) }, () => random.of(values));
    const ufid = random.chance(50);
    const template = FlowTemplate.compile<string>(text);
    const byRows = load(world, template.fill(rows.map((value) => [value])), ufid);
    const byLines = load(
      world,
      rows.map((value) => text.replace("{v}", value)),
      ufid,
    );
    world.clear();
    must(
      byRows === byLines,
      () => `rows ${rows.join()} of ${text}\nare ${byRows}\nand as lines\n    ${byLines}`,
    );
  },
};

/** Loads flows into an empty datapath. @returns what is said of each, and which flows there are then */
function load(world: World, flows: Parameters<World["dp"]["loadSync"]>[0], ufid: boolean): string {
  world.clear();
  const told: unknown[] = [];
  const { report } = world.dp.loadSync(flows, {
    ufid,
    onException: ({ line, state, errno }) => told.push([line, state, errno]),
  });
  const held = world.state === undefined ? [] : [...statesOf(world.state.table)];
  const shown = held.map((one) => JSON.stringify(one)).toSorted();
  return JSON.stringify([report.applied, told, shown]);
}
