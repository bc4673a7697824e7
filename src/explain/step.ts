/** The parts of an explanation. */
import { explanations } from "../reasons.ts";

/** Why a peer is reachable or not, the most specific first: of several answers the first in this order is given. */
export const stepCodes = Object.keys(explanations) as readonly StepCode[];
export type StepCode = keyof typeof explanations;

export interface Step {
  /** `listener media/gateway/udp`. */
  readonly about: string;
  readonly code: StepCode;
  readonly says: string;
  /** What to change, if a change is needed. */
  readonly todo?: string;
  /** Lines of the log from which it follows. */
  readonly events: readonly number[];
  readonly steps: readonly Step[];
}

const rank = ({ code }: Step): number => stepCodes.indexOf(code);

/** The most specific of `steps` and of all below them. */
export const mostTelling = (steps: readonly Step[]): Step | undefined => {
  let best: Step | undefined;
  for (const step of steps)
    for (const one of [mostTelling(step.steps), step])
      if (one !== undefined && (best === undefined || rank(one) < rank(best))) best = one;
  return best;
};
