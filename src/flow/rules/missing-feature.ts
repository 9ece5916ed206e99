import { ACTIONS, type ActionSpec } from "../action/table.ts";
import { FEATURE, FEATURE_FLAGS } from "../feature.ts";
import { kernelKeys, type KeySpec } from "../key/table.ts";
import type { KernelFeatures } from "./features.ts";

/** Something that other kernels have: what it is called, and the first mainline Linux with it. */
export type MissingFeature = { readonly feature: string; readonly since: string };

/** An action that came with a later kernel. */
export function missingAction({ name, since }: ActionSpec): MissingFeature {
  return { feature: `action ${name}`, since };
}

/** A key that came with a later kernel. */
export function missingKey({ name, since }: KeySpec): MissingFeature {
  return { feature: `key ${name}()`, since };
}

/** What a kernel lacks of all that the flow language can say. */
export function missingFeatures(features: KernelFeatures): readonly MissingFeature[] {
  const found = [
    ...ACTIONS.filter(({ type }) => type > features.actionMax).map(missingAction),
    ...kernelKeys()
      .filter(({ type }) => type > features.keyMax)
      .map(missingKey),
  ];
  for (const flag of FEATURE_FLAGS) {
    const { feature, since } = FEATURE[flag];
    // An action may need an option besides.
    const isFound = found.some((known) => known.feature === feature);
    if (!features[flag] && !isFound) found.push({ feature, since });
  }
  return found;
}
