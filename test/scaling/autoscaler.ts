/**
 * The HorizontalPodAutoscaler of Kubernetes, for one `Pods` metric with an average as its target
 * (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details): the tolerance, pods that are not ready,
 * the stabilization window, and the policies of both directions.
 */
export interface AutoscalerOptions {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** What a pod should have on average. */
  readonly target: number;
  readonly scaleIn: {
    readonly stabilizationWindowSeconds: number;
    readonly pods: number;
    readonly periodSeconds: number;
  };
}

export interface PodsSeen {
  readonly replicas: number;
  /** The metric of each ready pod; pods that end are not seen. */
  readonly ready: readonly number[];
  readonly pending: number;
}

export const SYNC_SECONDS = 15;
const TOLERANCE = 0.1;
/** The default policies for scaling out, of which the larger counts, within a period. */
const SCALE_OUT = { percent: 100, pods: 4, periodSeconds: 15 } as const;

interface Change {
  readonly at: number;
  readonly by: number;
}

const isWithinTolerance = (ratio: number): boolean => Math.abs(ratio - 1) <= TOLERANCE;

/** How many pods the metric asks for. */
export const desiredReplicas = ({ replicas, ready, pending }: PodsSeen, target: number): number => {
  if (ready.length === 0) return replicas;
  const sum = ready.reduce((total, one) => total + one, 0);
  const ratio = sum / ready.length / target;
  if (pending === 0 || ratio <= 1) return isWithinTolerance(ratio) ? replicas : Math.ceil(ratio * ready.length);
  // Pods that are on their way count as if they had nothing yet.
  const all = ready.length + pending;
  const later = sum / all / target;
  return isWithinTolerance(later) || later < 1 ? replicas : Math.max(replicas, Math.ceil(later * all));
};

export const createAutoscaler = ({ minReplicas, maxReplicas, target, scaleIn }: AutoscalerOptions) => {
  let recommended: readonly { readonly at: number; readonly replicas: number }[] = [];
  let changes: readonly Change[] = [];
  const changed = (now: number, seconds: number, sign: 1 | -1): number =>
    changes
      .filter(({ at, by }) => at > now - seconds && Math.sign(by) === sign)
      .reduce((total, { by }) => total + Math.abs(by), 0);

  return {
    /** The number of pods from now on. @param now in seconds */
    sync(now: number, seen: PodsSeen): number {
      const { replicas } = seen;
      const wanted = desiredReplicas(seen, target);
      recommended = [
        ...recommended.filter(({ at }) => at > now - scaleIn.stabilizationWindowSeconds),
        { at: now, replicas: wanted },
      ];
      // Out at once; in only to the highest recommendation of the window.
      const highest = Math.max(...recommended.map((one) => one.replicas));
      const stable = wanted < replicas ? Math.min(replicas, highest) : wanted;
      const before = replicas - changed(now, SCALE_OUT.periodSeconds, 1);
      const most = Math.max(before + SCALE_OUT.pods, Math.ceil(before * (1 + SCALE_OUT.percent / 100)));
      const least = replicas + changed(now, scaleIn.periodSeconds, -1) - scaleIn.pods;
      const next = stable > replicas ? Math.min(stable, most) : stable < replicas ? Math.max(stable, least) : replicas;
      const limited = Math.min(maxReplicas, Math.max(minReplicas, next));
      if (limited !== replicas) changes = [...changes.slice(-100), { at: now, by: limited - replicas }];
      return limited;
    },
  };
};
