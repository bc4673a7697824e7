import type { Derivation } from "../journal/fact.ts";

/** A derivation and the fact that it follows from. */
export interface Derived {
  readonly cause: number;
  readonly derivation: Derivation;
}
