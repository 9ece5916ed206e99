import { ACTIONS, type ActionSpec } from "../action/table.ts";
import { FEATURE, FEATURE_FLAGS } from "../feature.ts";
import { kernelKeys, type KeySpec } from "../key/table.ts";
import type { KernelFeatures } from "./features.ts";

/** Something that other kernels have: what it is called, and the first mainline Linux with it. */
export type Lacking = { readonly feature: string; readonly since: string };

/** An action that came with a later kernel. */
export function lackingAction({ name, since }: ActionSpec): Lacking {
  return { feature: `action ${name}`, since };
}

/** A key that came with a later kernel. */
export function lackingKey({ name, since }: KeySpec): Lacking {
  return { feature: `key ${name}()`, since };
}

/** What a kernel lacks of all that the flow language can say. */
export function lackingOf(features: KernelFeatures): readonly Lacking[] {
  const found = [
    ...ACTIONS.filter(({ type }) => type > features.actionMax).map(lackingAction),
    ...kernelKeys()
      .filter(({ type }) => type > features.keyMax)
      .map(lackingKey),
  ];
  for (const flag of FEATURE_FLAGS) {
    const { feature, since } = FEATURE[flag];
    // An action may need an option besides.
    const isFound = found.some((one) => one.feature === feature);
    if (!features[flag] && !isFound) found.push({ feature, since });
  }
  return found;
}
