/** What can go wrong between a client and an API server, and how each is caused. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as after } from "node:timers/promises";
import type { Random } from "./random.ts";

export type Fault =
  /** 429 with `Retry-After`. */
  | "throttled"
  /** 500. */
  | "internal"
  /** 503. */
  | "unavailable"
  /** 409 to a write that the API server would have taken. */
  | "conflict"
  /** 410 to a watch, as the status of the answer. */
  | "expired"
  /** 410 to a watch, as an event of the stream. */
  | "expired-event"
  /** 410 to the next page of a list. */
  | "expired-page"
  /** Asked, and answered, only after a while. */
  | "slow"
  /** A watch's connection breaks after a while. */
  | "cut"
  /** An answer, or a line of a watch, ends in its middle. */
  | "torn"
  /** The API server takes the write; the connection breaks before the answer. */
  | "answer-lost"
  /** The connection breaks; the API server gets the write nevertheless, after a while. */
  | "late"
  /** The connection stays open, and nobody says anything. */
  | "silent"
  /** A watch that is opened, and never tells anything. */
  | "mute";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly verb: "list" | "watch" | "get" | "write";
  /** In ms since 1970. */
  readonly at: number;
  /** When the API server was asked. */
  readonly forwardedAt: number | undefined;
  /** What the API server answered; nothing where it was not asked or has not answered. */
  readonly status: number | undefined;
  readonly fault: Fault | undefined;
}

/** A request in the proxy's hands. */
export interface Exchange {
  readonly asked: Asked;
  readonly random: Random;
  /** Neither answered nor given up. */
  readonly isOpen: boolean;
  /** Has the API server do it. */
  forward(): Promise<IncomingMessage>;
  /** Begins the answer; the body follows. */
  begin(status: number, headers?: IncomingMessage["headers"]): void;
  write(bytes: Buffer): Promise<void>;
  end(bytes?: Buffer | string): void;
  /** Hands on the API server's answer, as it comes. */
  relay(answer: IncomingMessage): Promise<void>;
  /** Breaks the connection. */
  hangUp(): void;
}

interface Definition {
  readonly concerns: (asked: Asked) => boolean;
  /** @param happened to be called once it has truly happened. */
  readonly act: (exchange: Exchange, happened: () => void) => Promise<void>;
}

const any = (): boolean => true;
const isWrite = ({ verb }: Asked): boolean => verb === "write";
const isWatch = ({ verb }: Asked): boolean => verb === "watch";

const status = (code: number, reason: string): string =>
  JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code,
    reason,
    message: `${reason}, says the faulty proxy`,
  });

const refuses = (
  code: number,
  reason: string,
  concerns: Definition["concerns"],
  headers: IncomingMessage["headers"] = {},
): Definition => ({
  concerns,
  act: async (exchange, happened) => {
    happened();
    exchange.begin(code, { "content-type": "application/json", ...headers });
    exchange.end(status(code, reason));
  },
});

export const faults: Readonly<Record<Fault, Definition>> = {
  throttled: refuses(429, "TooManyRequests", any, { "retry-after": "1" }),
  internal: refuses(500, "InternalError", any),
  unavailable: refuses(503, "ServiceUnavailable", any),
  conflict: refuses(409, "Conflict", isWrite),
  expired: refuses(410, "Expired", isWatch),
  "expired-page": refuses(410, "Expired", ({ verb, query }) => verb === "list" && query.has("continue")),
  "expired-event": {
    concerns: isWatch,
    act: async (exchange, happened) => {
      happened();
      exchange.begin(200, { "content-type": "application/json" });
      exchange.end(`{"type":"ERROR","object":${status(410, "Expired")}}\n`);
    },
  },
  slow: {
    concerns: any,
    act: async (exchange, happened) => {
      happened();
      await after(exchange.random.between(50, 800));
      if (exchange.isOpen) await exchange.relay(await exchange.forward());
    },
  },
  cut: {
    concerns: isWatch,
    act: async (exchange, happened) => {
      const answer = await exchange.forward();
      const relayed = exchange.relay(answer);
      await Promise.race([after(exchange.random.between(200, 3000)), relayed]);
      if (!exchange.isOpen) return;
      happened();
      exchange.hangUp();
    },
  },
  torn: {
    concerns: any,
    act: async (exchange, happened) => {
      const answer = await exchange.forward();
      exchange.begin(answer.statusCode ?? 500, answer.headers);
      const whole = isWatch(exchange.asked) ? ((await once(answer, "data"))[0] as Buffer) : await buffer(answer);
      answer.destroy();
      if (!exchange.isOpen) return;
      happened();
      // Not at a line's end.
      await exchange.write(whole.subarray(0, exchange.random.between(1, whole.length - 2)));
      // An orderly end, such as a server that is shut down makes, loses as much.
      if (isWatch(exchange.asked) && exchange.random.chance(0.5)) exchange.end();
      else exchange.hangUp();
    },
  },
  "answer-lost": {
    concerns: isWrite,
    act: async (exchange, happened) => {
      await buffer(await exchange.forward());
      happened();
      exchange.hangUp();
    },
  },
  late: {
    concerns: isWrite,
    act: async (exchange, happened) => {
      happened();
      exchange.hangUp();
      await after(exchange.random.between(200, 1500));
      await buffer(await exchange.forward());
    },
  },
  silent: {
    concerns: any,
    act: async (_, happened) => happened(),
  },
  mute: {
    concerns: isWatch,
    act: async (exchange, happened) => {
      happened();
      exchange.begin(200, { "content-type": "application/json" });
    },
  },
};
