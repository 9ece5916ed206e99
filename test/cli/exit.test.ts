import { expect, test } from "bun:test";
import { Exit, exitStatusOf, UsageError } from "../../src/cli/exit.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { identitiesOf } from "../../src/flow/identity.ts";
import { NetlinkError } from "../../src/netlink/errors.ts";
import { EBUSY, EFBIG, EINVAL, ENOENT, ERANGE } from "../../src/sys/errno.ts";
import { AssertionError, MillraceError, NotSupportedError } from "../../src/sys/errors.ts";

test.each([
  [new UsageError("x"), Exit.usage],
  [new NetlinkError("x", EINVAL), Exit.usage],
  [new NetlinkError("x", ERANGE), Exit.usage],
  [new NetlinkError("x", EFBIG), Exit.usage],
  [new NetlinkError("x", EBUSY), Exit.unavailable],
  [new NetlinkError("x", ENOENT), Exit.unavailable],
  [new NotSupportedError("x", undefined), Exit.unavailable],
  [new MillraceError("NO_DATAPATH", "x"), Exit.unavailable],
  [new MillraceError("MALFORMED", "x"), Exit.internal],
  [new AssertionError("x"), Exit.internal],
  [new TypeError("x"), Exit.internal],
])("%o: %d", (error, status) => {
  expect(exitStatusOf(error)).toBe(status);
});

test.each(["", " ", "# nothing"])("%j names no flow: the caller's mistake, and said so", (text) => {
  expect(() => identitiesOf(text)).toThrow(FlowSyntaxError);
});
