/** How long `ws` waits, in milliseconds, for the other end to close; its types lack the option. */
export const closeGrace = (milliseconds: number): object => ({ closeTimeout: milliseconds });
