import { ACTIONS, type ActionSpec } from "../action/table.ts";
import { FEATURE, FEATURE_FLAGS } from "../feature.ts";
import { kernelKeys, type KeySpec } from "../key/table.ts";
import type { KernelFeatures } from "./features.ts";

/** A feature that other kernels have: its name, and the first mainline Linux with it. */
export type MissingFeature = {
  readonly feature: string;
  readonly since: string;
  /** What does nearly the same on every kernel. */
  readonly instead?: string;
};

/** The missing feature for an action of later kernels. */
export function missingAction({ name, form, since }: ActionSpec): MissingFeature {
  if (form.kind === "drop") {
    return { feature: "action drop(REASON)", since, instead: "a plain drop works" };
  }
  return { feature: `action ${name}`, since };
}

/** The missing feature for a key of later kernels. */
export function missingKey({ name, since }: KeySpec): MissingFeature {
  return { feature: `key ${name}()`, since };
}

/** All features of the flow language that a kernel lacks. */
export function missingFeatures(features: KernelFeatures): readonly MissingFeature[] {
  const found = [
    ...ACTIONS.filter(({ type }) => type > features.actionMax).map(missingAction),
    ...kernelKeys()
      .filter(({ type }) => type > features.keyMax)
      .map(missingKey),
  ];
  for (const flag of FEATURE_FLAGS) {
    const { feature, since } = FEATURE[flag];
    // A kernel option may lack the same feature that a missing action lacks.
    const isFound = found.some((known) => known.feature === feature);
    if (!features[flag] && !isFound) found.push({ feature, since });
  }
  return found;
}
