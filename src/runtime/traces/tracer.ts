/** Spans as the rest of the program makes them. What carries them out, and its packages, is known to `otlp.ts` alone. */

export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface SpanStart {
  readonly name: string;
  /** Milliseconds since 1970, with fractions; here and below. */
  readonly startedAt: number;
  /** A trace of its own without one. */
  readonly parent?: Span | undefined;
  /** What else led to it. */
  readonly links?: readonly Span[];
  readonly attributes: Attributes;
}

export interface Span {
  /** @param failure why it came to nothing. */
  end(at: number, more?: { readonly attributes?: Attributes; readonly failure?: string }): void;
}

export interface Tracer {
  start(span: SpanStart): Span;
  /** Sends pending spans, for at most two seconds. */
  close(): Promise<void>;
}

/** Finer than `Date.now`. */
export const nowMs = (): number => performance.timeOrigin + performance.now();
