/** Milliseconds since the epoch of a time as Kubernetes writes it (RFC 3339); NaN when it is not one. */
export const epochMsOf = (time: string): number => Date.parse(time);
