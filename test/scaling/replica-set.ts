/**
 * Which pods the ReplicaSet controller of Kubernetes removes first: those that are not ready, then those with the lowest deletion cost,
 * then those that became ready last, on a logarithmic scale; of pods of the same age, any. Every pod is on a node of its own here.
 */
export interface Candidate {
  readonly isReady: boolean;
  readonly deletionCost: number;
  /** Seconds. */
  readonly readySince: number;
  /** Random; the UID of the pod. */
  readonly uid: number;
}

const NANOSECONDS = 1e9;

const logarithmOfAge = (since: number, now: number): number =>
  now > since ? Math.trunc(Math.log2((now - since) * NANOSECONDS)) : -1;

/** The first one goes first. */
export const byDeletion =
  (now: number) =>
  (a: Candidate, b: Candidate): number =>
    Number(a.isReady) - Number(b.isReady) ||
    a.deletionCost - b.deletionCost ||
    logarithmOfAge(a.readySince, now) - logarithmOfAge(b.readySince, now) ||
    a.uid - b.uid;
