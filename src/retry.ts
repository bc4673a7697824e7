/** Exponential backoff, for all retries. */

export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * The pause after `failures` consecutive failures: it doubles from `firstMs` up to `longestMs`, and is then shortened by up
 * to half at random, so that clients of one server do not all return at once.
 *
 * @param failures from 1.
 */
export const backoffMs = ({ firstMs, longestMs }: Backoff, failures: number): number => {
  const grown = Math.min(firstMs * 2 ** (failures - 1), longestMs);
  return grown / 2 + (Math.random() * grown) / 2;
};
