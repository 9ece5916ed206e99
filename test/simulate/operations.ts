import { HAND_OVER } from "./hand-over-operation.ts";
import { HOSTILE } from "./hostile-operation.ts";
import { LOAD } from "./load-operation.ts";
import type { Operation } from "./operation.ts";
import { BATCH, DUMP, FLUSH, ONE, RENUMBER, UPCALLS } from "./small-operations.ts";
import { RESUME } from "./resume-operation.ts";
import { SYNC } from "./sync-operation.ts";
import { TEMPLATE } from "./template-operation.ts";
import { THREADS } from "./thread-operation.ts";
import { WHERE } from "./where-operation.ts";

/** All that a simulation does. */
export const OPERATIONS: readonly Operation[] = [
  LOAD,
  BATCH,
  ONE,
  DUMP,
  UPCALLS,
  RENUMBER,
  SYNC,
  RESUME,
  HOSTILE,
  WHERE,
  THREADS,
  TEMPLATE,
  HAND_OVER,
  FLUSH,
];
