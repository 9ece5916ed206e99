import { LOAD } from "./load-operation.ts";
import type { Operation } from "./operation.ts";
import { BATCH, DUMP, FLUSH, ONE, UPCALLS } from "./small-operations.ts";

/** All that a simulation does. */
export const OPERATIONS: readonly Operation[] = [LOAD, BATCH, ONE, DUMP, UPCALLS, FLUSH];
