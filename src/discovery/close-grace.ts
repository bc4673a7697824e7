/** How long `ws` waits, in milliseconds, for the other end to close; its types do not know the option yet. */
export const closeGrace = (milliseconds: number): object => ({ closeTimeout: milliseconds });
