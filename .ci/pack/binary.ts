/** `npm run build:binary`: makes dist/millrace. */
import { join } from "node:path";
import { compileBinary } from "./compile.ts";

compileBinary(join(import.meta.dir, "../../dist/millrace"));
