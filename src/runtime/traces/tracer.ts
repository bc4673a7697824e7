/** The span interface for the rest of the program. Only `otlp.ts` knows the exporter and its packages. */

export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface SpanStart {
  readonly name: string;
  /** Milliseconds since 1970, with fractions; here and below. */
  readonly startedAt: number;
  /** Absent: the span starts a new trace. */
  readonly parent?: Span | undefined;
  /** Other causes, as links. */
  readonly links?: readonly Span[];
  readonly attributes: Attributes;
}

export interface Span {
  /** @param failure why it failed. */
  end(at: number, more?: { readonly attributes?: Attributes; readonly failure?: string }): void;
}

export interface Tracer {
  start(span: SpanStart): Span;
  /** Sends pending spans, for at most two seconds. */
  close(): Promise<void>;
}

/** More precise than `Date.now`. */
export const nowMs = (): number => performance.timeOrigin + performance.now();
