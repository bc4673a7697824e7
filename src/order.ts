/** In the order of UTF-16 code units, which is the same on every machine and in every locale. For `toSorted`. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
