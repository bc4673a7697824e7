/**
 * Stands between a client and a cluster's API server, hands on requests and answers, and fails as often as configured.
 *
 * @example
 * const proxy = await startFaultyProxy(cluster, { file: join(root, "kubeconfig"), random });
 * proxy.suffer([{ fault: "cut", share: 0.5 }]);
 * …
 * await proxy.heal();
 * expect(proxy.happened.cut).toBeGreaterThan(3);
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request as ask } from "node:https";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { writeKubeconfig } from "../credentials.ts";
import type { Cluster } from "../cluster.ts";
import { faults, type Asked, type Exchange, type Fault } from "./faults.ts";
import type { Random } from "./random.ts";

export interface Rule {
  readonly fault: Fault;
  /** Of the requests that the fault concerns: from 0 to 1. */
  readonly share: number;
  readonly of?: (asked: Asked) => boolean;
}

/** Told of each request; it goes on once what is returned has settled. */
export interface Listener {
  readonly asked?: (asked: Asked) => unknown;
  /** The API server has answered; the client has not received the answer yet. */
  readonly answered?: (asked: Asked) => unknown;
}

export interface FaultyProxy {
  /** Path. */
  readonly kubeconfig: string;
  readonly asked: readonly Asked[];
  /** How often each has come about. */
  readonly happened: Readonly<Record<Fault, number>>;
  suffer(rules: readonly Rule[]): void;
  /** Nothing goes wrong from now on; resolves once no late write is under way. What is silent stays so. */
  heal(): Promise<void>;
  listen(listener: Listener): void;
  stop(): Promise<void>;
}

export interface FaultyProxyOptions {
  /** Where the kubeconfig goes. */
  readonly file: string;
  readonly random: Random;
}

/** Headers of one connection, not of what it carries. */
const HOP_BY_HOP = ["connection", "keep-alive", "transfer-encoding", "host"];

const endToEnd = (headers: IncomingMessage["headers"]): IncomingMessage["headers"] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)));

const verbOf = (method: string, query: URLSearchParams): Asked["verb"] => {
  if (method !== "GET") return "write";
  if (query.get("watch") === "true") return "watch";
  return query.has("limit") ? "list" : "get";
};

export const startFaultyProxy = async (
  { url, token, ca, directory }: Pick<Cluster, "url" | "token" | "ca" | "directory">,
  { file, random }: FaultyProxyOptions,
): Promise<FaultyProxy> => {
  const agent = new Agent({ ca, keepAlive: true });
  const asked: Asked[] = [];
  const happened = Object.fromEntries(Object.keys(faults).map((name) => [name, 0])) as Record<Fault, number>;
  const late = new Set<Promise<void>>();
  let rules: readonly Rule[] = [];
  let listener: Listener = {};

  const choose = (one: Asked): Fault | undefined =>
    rules.find(({ fault, share, of = () => true }) => faults[fault].concerns(one) && of(one) && random.chance(share))
      ?.fault;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const { method = "GET", url: path = "/" } = request;
    const { pathname, searchParams: query } = new URL(path, url);
    const verb = verbOf(method, query);
    const one = { method, path: pathname, query, verb, at: Date.now(), forwardedAt: undefined, status: undefined };
    const record: { -readonly [K in keyof Asked]: Asked[K] } = { ...one, fault: choose({ ...one, fault: undefined }) };
    asked.push(record);
    await listener.asked?.(record);

    const exchange: Exchange = {
      asked: record,
      random,
      get isOpen() {
        return !response.writableEnded && !response.destroyed;
      },
      async forward() {
        record.forwardedAt = Date.now();
        const sent = ask(`${url}${path}`, { agent, method, headers: endToEnd(request.headers) }).end(body);
        const answered = once(sent, "response");
        sent.on("error", () => undefined);
        const [answer] = (await answered) as [IncomingMessage];
        answer.on("error", () => undefined);
        // Nobody listens.
        if (response.destroyed && record.verb === "watch") answer.destroy();
        else response.on("close", () => answer.destroy());
        record.status = answer.statusCode;
        await listener.answered?.(record);
        return answer;
      },
      begin(status, headers = {}) {
        response.writeHead(status, endToEnd(headers));
        response.flushHeaders();
      },
      write: (bytes) => new Promise((resolve) => response.write(bytes, () => resolve())),
      end: (bytes) => void response.end(bytes),
      async relay(answer) {
        exchange.begin(answer.statusCode ?? 500, answer.headers);
        await pipeline(answer, response);
      },
      hangUp: () => void request.socket.destroy(),
    };
    if (record.fault === undefined) {
      await exchange.relay(await exchange.forward());
      return;
    }
    const { fault } = record;
    const acting = faults[fault].act(exchange, () => (happened[fault] += 1));
    if (fault === "late") late.add(acting);
    await acting;
  };

  // The API server's own: it speaks for the same host.
  const certificate = (file: string): Buffer => readFileSync(join(directory, "certificates", file));
  const identity = { cert: certificate("apiserver.crt"), key: certificate("apiserver.key") };
  const server = createServer(identity, (request, response) => {
    // One side has broken off, or the API server is not there: so be it for the other side too.
    handle(request, response).catch(() => request.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  writeKubeconfig(file, { url: `https://127.0.0.1:${port}`, token, ca });

  return {
    kubeconfig: file,
    asked,
    happened,
    suffer: (some) => void (rules = some),
    async heal() {
      rules = [];
      await Promise.allSettled(late);
    },
    listen: (other) => void (listener = other),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      agent.destroy();
    },
  };
};
