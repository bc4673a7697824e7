/** RFC 8656 §12 allows 0x4000 to 0x4FFF; clients of RFC 5766 use numbers up to 0x7FFF, and these are still accepted. */
export const isChannelNumber = (number: number): boolean => number >= 0x4000 && number <= 0x7fff;
