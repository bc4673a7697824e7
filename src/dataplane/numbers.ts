/** Numbers that threads assign without coordination; each number identifies its thread. */
export interface Numbers {
  readonly first: number;
  readonly step: number;
}

/** The numbers of thread `index` of `count`: `index + 1`, and every `count`th after it. */
export const numbersOf = (index: number, count: number): Numbers => ({ first: index + 1, step: count });

/** What the numbers of one thread have in common: a label of the thread, below `step`. */
export const labelOf = ({ first, step }: Numbers): number => first % step;

export const isOneOf = (numbers: Numbers, number: number): boolean => number % numbers.step === labelOf(numbers);

/** The index of the thread that assigned `number`. */
export const threadOf = (number: number, count: number): number => (number + count - 1) % count;

/** The number of the thread in the same group of `step` numbers as `any`. */
export const nearest = (numbers: Numbers, any: number): number => any - (any % numbers.step) + labelOf(numbers);
