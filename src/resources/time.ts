/** Milliseconds since the epoch of a time in Kubernetes' notation (RFC 3339); NaN if it is malformed. */
export const epochMsOf = (time: string): number => Date.parse(time);
