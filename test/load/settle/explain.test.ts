import { expect, test } from "bun:test";
import { Flow } from "../../../src/flow/flow.ts";
import { explainRejection } from "../../../src/load/settle/explain.ts";
import { EINVAL, ENOMEM } from "../../../src/sys/errno.ts";

const UDP = "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp()";

function reason(line: string, errno = EINVAL): string {
  return explainRejection("put", errno, { sent: Flow.parse(line).parts }).reason;
}

test("a rule that the flow breaks is the reason", () => {
  expect(reason("in_port(1),eth(),eth_type(0x0800) 2")).toContain("ipv4() is missing");
});

test("a helper that the kernel may lack is named where nothing else is wrong", () => {
  const missing = "it may be that this kernel has no conntrack helper ftp for proto 17";
  expect(reason(`${UDP} ct(commit,helper=ftp),2`)).toContain(missing);
  expect(reason(`${UDP} clone(ct(commit,helper=ftp)),2`)).toContain(missing);
  expect(reason(`${UDP} ct(commit,helper=ftp),push_vlan(vid=1,cfi=0)`)).not.toContain("helper");
  expect(reason(`${UDP} ct(commit),2`)).toContain("does not take");
  expect(reason(`${UDP} ct(commit,helper=ftp),2`, ENOMEM)).toContain("memory");
});

test("no room for more masks is no lack of memory", () => {
  const { parts } = Flow.parse(`${UDP} 2`);
  const full = explainRejection("put", ENOMEM, { sent: parts, masks: () => 4096 });
  expect(full.reason).toStartWith("the datapath has 4096 masks, ");
  expect(explainRejection("put", ENOMEM, { sent: parts, masks: () => undefined }).reason).toBe(
    "the kernel is out of memory",
  );
  expect(reason(`${UDP} 2`, EINVAL)).not.toContain("4096");
});

test("a kernel without memory is asked for nothing more", () => {
  const { parts } = Flow.parse(`${UDP} 2`);
  const features = (): never => {
    throw new Error("its features were asked for");
  };
  expect(explainRejection("put", ENOMEM, { sent: parts, features }).reason).toContain("memory");
  expect(() => explainRejection("put", EINVAL, { sent: parts, features })).toThrow("features");
});
