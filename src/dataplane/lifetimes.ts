/** Lifetimes in seconds (RFC 8656 §3.2, §9, §12). */
export const defaultAllocationSeconds = 600;
export const maxAllocationSeconds = 3600;
export const permissionSeconds = 300;
export const channelSeconds = 600;
/** No request is retransmitted after that long: RFC 8489 §6.3.1. */
export const retransmissionSeconds = 40;

/**
 * The lifetime that an Allocate gets (RFC 8656 §7.2): the requested one, up to the maximum. A client that asks for less
 * than the default gets less: the answer contains the lifetime, and the client holds a port no longer than it wants.
 */
export const grantedSeconds = (requested: number | undefined): number =>
  requested === undefined || requested === 0 ? defaultAllocationSeconds : Math.min(maxAllocationSeconds, requested);
