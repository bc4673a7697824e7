/**
 * How long what must come is waited for, in ms. A busy machine may take long, and that is no failure: speed is measured by
 * benchmarks. `expect.poll` is as patient: `vitest.config.ts`.
 */
export const PATIENCE_MS = 120_000;
