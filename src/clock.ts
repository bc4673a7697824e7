/**
 * The two clocks. Durations are measured by the monotonic one, which cannot be set: a wall clock that steps (NTP, a
 * suspended machine, an administrator) must not end a call. The wall clock is for dates of the outside world: expiry of
 * credentials, certificates, timestamps.
 */

/** Milliseconds since a moment in the past that differs between processes and threads: only differences are meaningful. */
export const monotonicMs = (): number => performance.now();

/** Milliseconds since the epoch. */
export const wallMs = (): number => Date.now();

/** The wall-clock time, in milliseconds since the epoch, of a moment of this thread's monotonic clock. */
export const wallTimeOf = (monotonic: number): number => Math.round(wallMs() + monotonic - monotonicMs());
