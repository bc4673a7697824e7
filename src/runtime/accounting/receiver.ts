/** Sends records to a receiver over HTTP, and says whether it has taken them. */
import { readFileSync } from "node:fs";
import { messageOf } from "../../errors.ts";
import type { UsageRecord } from "./record.ts";
import type { AccountingSettings } from "./settings.ts";

/** How records are written for a kind of receiver. */
export interface Encoding {
  /** The body of a request, JSON. */
  body(records: readonly UsageRecord[]): unknown;
  /** How many of the records the receiver has refused for good, by the body of its answer. */
  refused(answer: string): number;
}

export interface Receiver {
  /**
   * Resolves once the receiver has acknowledged all of `records`, to the number of those that it refused for good.
   * @throws Undelivered.
   */
  send(records: readonly UsageRecord[], signal: AbortSignal): Promise<number>;
}

/** Why records were not acknowledged. */
export class Undelivered extends Error {
  readonly status: number | undefined;
  /** How long the receiver asks to wait, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, status?: number, retryAfterMs = 0) {
    super(message);
    this.name = "Undelivered";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_MS = 300_000;
const MAX_ANSWER_CHARACTERS = 200;
const TOO_LARGE = 413;

/** `Retry-After` in seconds; dates are not supported. */
const retryAfterOf = (value: string | null): number => {
  const seconds = Number(value ?? 0);
  return seconds > 0 ? Math.min(seconds * 1000, LONGEST_WAIT_MS) : 0;
};

/** @throws Error if the file cannot be read or is empty. */
export const readToken = (file: string): string => {
  const token = readFileSync(file, "utf8").trim();
  if (token === "") throw new Error(`${file} is empty`);
  return token;
};

export const createReceiver = ({ url, token, tokenFile }: AccountingSettings, encoding: Encoding): Receiver => {
  const authorization = (): Readonly<Record<string, string>> => {
    const value = tokenFile === undefined ? token : readToken(tokenFile);
    return value === undefined ? {} : { authorization: `Bearer ${value}` };
  };
  const post = async (records: readonly UsageRecord[], signal: AbortSignal): Promise<number> => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let response: Response;
    let answer: string;
    try {
      response = await fetch(url, {
        method: "POST",
        // A token must not go to another host.
        redirect: "manual",
        headers: { "content-type": "application/json", ...authorization() },
        body: JSON.stringify(encoding.body(records)),
        signal: AbortSignal.any([signal, timeout]),
      });
      answer = await response.text();
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      throw new Undelivered(timeout.aborted ? "no answer in time" : messageOf(cause ?? error));
    }
    if (response.ok) return encoding.refused(answer);
    const text = answer.trim().slice(0, MAX_ANSWER_CHARACTERS);
    const reason = `${response.status} ${response.statusText}${text === "" ? "" : `: ${text}`}`;
    throw new Undelivered(reason, response.status, retryAfterOf(response.headers.get("retry-after")));
  };

  const send: Receiver["send"] = async (records, signal) => {
    try {
      return await post(records, signal);
    } catch (error) {
      if (!(error instanceof Undelivered) || error.status !== TOO_LARGE || records.length === 1) throw error;
      const half = Math.ceil(records.length / 2);
      return (await send(records.slice(0, half), signal)) + (await send(records.slice(half), signal));
    }
  };
  return { send };
};
