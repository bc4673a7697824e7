/** Where usage records go, and how often calls report theirs. */

export const accountingFormats = ["webhook", "otlp"] as const;
/** `webhook`: JSON of our own (`webhook.ts`); `otlp`: OpenTelemetry logs (`otlp.ts`). */
export type AccountingFormat = (typeof accountingFormats)[number];

export interface AccountingSettings {
  /** Of the receiver, complete, without user and password. */
  readonly url: string;
  readonly format: AccountingFormat;
  /** The bearer token, or the file with it, which is read for each request. */
  readonly token?: string;
  readonly tokenFile?: string;
  /** Seconds between the reports of an open call. */
  readonly intervalSeconds: number;
}
