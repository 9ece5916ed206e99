/** What Node finds under the package's names: modules that export what the library does, and say that they need Bun. */

/** The only sentence that an import on Node comes to. */
export const NEEDS_BUN =
  "millrace needs Bun, not Node: 'npm install --global bun' installs it, and 'bun PROGRAM' runs your program with it.";

/**
 * The text of such a module.
 * @param names what it exports: an import of a name that is missing would be another error, before this one
 */
export function nodeStub(names: readonly string[]): string {
  return `// No trace: whoever imports it is not in one, and the sentence is all there is to say.
const limit = Error.stackTraceLimit;
Error.stackTraceLimit = 0;
const error = new Error(${JSON.stringify(NEEDS_BUN)});
Error.stackTraceLimit = limit;
throw error;
export let ${[...names].sort().join(", ")};
`;
}
