/**
 * The option for the owner of flows: a name that is part of their UFIDs, so that two sets in one
 * datapath, such as a controller's and a person's, can be distinguished.
 */
export const OWNER_OPTION: [flags: string, description: string] = [
  "--owner <NAME>",
  "the owner of the flows: a name that becomes part of their UFIDs (default: none)",
];
