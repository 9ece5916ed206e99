/** What lines of flows are loaded from: bytes, a flow set, a template. */
import { FlowTemplate, type TemplateFill } from "../../src/flow/template.ts";
import { FlowSetCompiler } from "../../src/format/flow-set/compile.ts";
import { FlowSetWriter } from "../../src/format/flow-set/writer.ts";
import { bytesSource } from "../../src/format/source.ts";
import { dotted, type Line, maskOf } from "./truth.ts";

export function bytesOf(lines: readonly string[]): Uint8Array {
  return new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
}

/** A flow set of lines of text. @param options `judges: false` leaves that to the kernel @throws Error for a refused line */
export function compiled(
  text: Uint8Array,
  options: { readonly judges?: boolean } = {},
): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = new FlowSetWriter((bytes) => parts.push(bytes.slice()));
  const refuse = ({ reason }: { readonly reason: string }): void => {
    throw new Error(reason);
  };
  const compiler = new FlowSetCompiler(bytesSource("set", text), "text", writer, refuse, options);
  do {
    while (compiler.step());
  } while (compiler.fill() === true);
  compiler.finish();
  return new Uint8Array(Buffer.concat(parts));
}

/** Lines of one verb and one mask, without UFIDs, as rows of a template. */
export function filled(lines: readonly Pick<Line, "match" | "actions">[]): TemplateFill {
  const { srcBits, dstBits } = lines[0]?.match ?? { srcBits: 0, dstBits: 0 };
  const hole = (name: string, bits: number): string =>
    bits === 0 ? "" : `${name}={${name}}/${dotted(maskOf(bits))},`;
  const text =
    "in_port(1),eth(),eth_type(0x0800)," +
    `ipv4(${hole("src", srcBits)}${hole("dst", dstBits)}frag=no) {out}`;
  const template = FlowTemplate.compile<string>(text);
  const valueOf = ({ match, actions }: Pick<Line, "match" | "actions">, name: string): string =>
    name === "out" ? actions : dotted(name === "src" ? match.src : match.dst);
  return template.fill(lines.map((line) => template.holes.map((name) => valueOf(line, name))));
}
