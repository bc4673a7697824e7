/** What is wrong with an object. */
export interface Problem {
  /** In Kubernetes' notation: `spec.listeners[0].port`. */
  readonly field: string;
  /** Never quotes the value, which may be a secret. */
  readonly reason: string;
}
