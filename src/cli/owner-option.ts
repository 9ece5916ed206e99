/**
 * The option by which a command says whose flows it means: a name that goes into their UFIDs, so that two sets in
 * one datapath, a controller's and a person's, are told apart.
 */
export const OWNER_OPTION: [flags: string, description: string] = [
  "--owner <NAME>",
  "whose flows they are: the name goes into their UFIDs (default: nobody's)",
];
