/**
 * A scripted API server: lists in pages and watches, and whatever can go wrong with them.
 *
 * @example
 * const server = await startFakeApi();
 * server.serve("/api/v1/services");
 * server.put("/api/v1/services", { metadata: { name: "media", namespace: "ns" } });
 * server.answer({ status: 500 });
 * server.cut();
 */
import { createServer, ServerResponse, type IncomingMessage } from "node:http";
import { createApi, type Api } from "../../src/kubernetes/api.ts";

export interface Made {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** The name that the client connected with; empty without one. */
  readonly client: string;
  /** By `performance.now()`. */
  readonly at: number;
  /** What it carries, as far as it has come. */
  readonly body: string;
  /** Neither side has ended it yet. */
  readonly isOpen: boolean;
}

/** What the next requests that match get instead of what they asked for. */
export interface Scripted {
  readonly of?: (asked: Asked) => boolean;
  /** With a `status`: what was asked for is done all the same. */
  readonly isDone?: boolean;
  /** 1 by default. */
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Before the answer. */
  readonly delayMs?: number;
  /** `connection`: it is closed without an answer. `silence`: never an answer. `stall`: half of one. */
  readonly instead?: "connection" | "silence" | "stall";
}

interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: Made;
}

interface Collection {
  readonly path: string;
  readonly objects: Map<string, Made>;
  readonly changes: Change[];
  /** Versions up to this one are forgotten. */
  compacted: number;
}

interface Watch {
  readonly collection: Collection;
  /** Of one namespace alone. */
  readonly namespace: string | undefined;
  readonly response: ServerResponse;
}

export interface FakeApi {
  readonly url: string;
  readonly api: Api;
  /** Another client, with its own connections; its requests carry the name. */
  connect(client?: string): Api;
  readonly asked: readonly Asked[];
  /** Watches that are open. */
  readonly watches: number;
  /** The version of the last change. */
  readonly version: number;
  serve(path: string): void;
  /** The kind is removed: its watches end, and it is not found. */
  withdraw(path: string): void;
  put(path: string, object: Made): Made;
  delete(path: string, key: string): void;
  objects(path: string): readonly Made[];
  answer(scripted: Scripted): void;
  /** Breaks the connections of all watches. */
  cut(): void;
  /** Ends all watches as their time limit does. */
  end(): void;
  /** Tells all watches the version. */
  bookmark(): void;
  /** To all watches, as it is. */
  write(text: string | Uint8Array): void;
  /** Forgets all versions so far. Whoever resumes from one gets a 410, as a status or as an event. */
  compact(as?: "status" | "event"): void;
  /** From now on watches receive nothing. */
  mute(muted: boolean): void;
  stop(): Promise<void>;
}

const PATH = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/;

const keyOf = ({ metadata: { namespace = "", name } }: Made): string => `${namespace}/${name}`;

const status = (code: number, reason: string, message: string) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  code,
  reason,
  message,
});

export const startFakeApi = async (): Promise<FakeApi> => {
  const collections = new Map<string, Collection>();
  const asked: Asked[] = [];
  const watches = new Set<Watch>();
  const pages = new Map<string, { readonly items: readonly Made[]; readonly version: number }>();
  const clients: Api[] = [];
  let scripts: { readonly script: Scripted; left: number }[] = [];
  let version = 1;
  let expiry: "status" | "event" = "status";
  let muted = false;

  const send = (response: ServerResponse, code: number, body: unknown, headers = {}): void => {
    response.writeHead(code, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
  const refuse = (response: ServerResponse, code: number, reason: string): void =>
    send(response, code, status(code, reason, `${reason}, says the fake API server`));

  const isIn = (namespace: string | undefined, { metadata }: Made): boolean =>
    namespace === undefined || metadata.namespace === namespace;

  const list = (
    collection: Collection,
    namespace: string | undefined,
    query: Asked["query"],
    response: ServerResponse,
  ): void => {
    const limit = Number(query["limit"] ?? 500);
    const token = query["continue"];
    const from =
      token === undefined
        ? { items: [...collection.objects.values()].filter((one) => isIn(namespace, one)), version }
        : pages.get(token);
    if (from === undefined || (token !== undefined && from.version < collection.compacted)) {
      refuse(response, 410, "Expired");
      return;
    }
    const left = from.items.slice(limit);
    const next = left.length > 0 ? `page-${pages.size}` : "";
    if (next !== "") pages.set(next, { items: left, version: from.version });
    send(response, 200, {
      metadata: { resourceVersion: String(from.version), continue: next },
      items: from.items.slice(0, limit),
    });
  };

  const watch = (
    collection: Collection,
    namespace: string | undefined,
    query: Asked["query"],
    response: ServerResponse,
  ): void => {
    const since = Number(query["resourceVersion"]);
    const expired = since < collection.compacted;
    if (expired && expiry === "status") {
      refuse(response, 410, "Expired");
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (expired) {
      response.end(
        `${JSON.stringify({ type: "ERROR", object: status(410, "Expired", "too old resource version") })}\n`,
      );
      return;
    }
    const one = { collection, namespace, response };
    watches.add(one);
    response.on("close", () => watches.delete(one));
    if (muted) return;
    for (const { version: changed, ...event } of collection.changes)
      if (changed > since && isIn(namespace, event.object)) response.write(`${JSON.stringify(event)}\n`);
  };

  const record = (collection: Collection, type: Change["type"], made: Made): Made => {
    version += 1;
    const object = { ...made, metadata: { ...made.metadata, resourceVersion: String(version) } };
    collection.changes.push({ version, type, object });
    if (!muted)
      for (const one of watches)
        if (one.collection === collection && isIn(one.namespace, object))
          one.response.write(`${JSON.stringify({ type, object })}\n`);
    return object;
  };

  const put = (collection: Collection, made: Made): Made => {
    const key = keyOf(made);
    const object = record(collection, collection.objects.has(key) ? "MODIFIED" : "ADDED", made);
    collection.objects.set(key, object);
    return object;
  };

  const remove = (collection: Collection, key: string): void => {
    const object = collection.objects.get(key);
    if (object === undefined) return;
    collection.objects.delete(key);
    record(collection, "DELETED", object);
  };

  const serve = async (
    request: IncomingMessage,
    url: URL,
    query: Asked["query"],
    response: ServerResponse,
    body: Promise<string>,
  ) => {
    const [, root = "", namespace = "", plural = "", name] = PATH.exec(url.pathname) ?? [];
    const collection = collections.get(`${root}/${plural}`);
    if (collection === undefined) {
      refuse(response, 404, "NotFound");
      return;
    }
    const key = `${namespace}/${name}`;
    const present = collection.objects.get(key);
    const text = await body;
    switch (request.method) {
      case "GET":
        if (name !== undefined) {
          if (present === undefined) refuse(response, 404, "NotFound");
          else send(response, 200, present);
        } else if (query["watch"] === "true") watch(collection, namespace || undefined, query, response);
        else list(collection, namespace || undefined, query, response);
        return;
      case "POST": {
        const made = JSON.parse(text) as Made;
        if (collection.objects.has(keyOf(made))) refuse(response, 409, "AlreadyExists");
        else send(response, 201, put(collection, made));
        return;
      }
      case "PUT": {
        const made = JSON.parse(text) as Made;
        if (present === undefined) refuse(response, 404, "NotFound");
        else if (made.metadata["resourceVersion"] !== present.metadata["resourceVersion"])
          refuse(response, 409, "Conflict");
        else send(response, 200, put(collection, made));
        return;
      }
      case "PATCH": {
        // An apply, as far as one who alone applies can tell it from a replacement.
        const applied = JSON.parse(text) as Made;
        const { resourceVersion: asked, ...metadata } = applied.metadata;
        if (present !== undefined && asked !== undefined && asked !== present.metadata["resourceVersion"])
          refuse(response, 409, "Conflict");
        else send(response, present === undefined ? 201 : 200, put(collection, { ...applied, metadata }));
        return;
      }
      default:
        refuse(response, 405, "MethodNotAllowed");
    }
  };

  const scripted = (one: Asked): Scripted | undefined => {
    const found = scripts.find(({ script: { of = () => true } }) => of(one));
    if (found === undefined) return undefined;
    found.left -= 1;
    if (found.left === 0) scripts = scripts.filter((other) => other !== found);
    return found.script;
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const query = Object.fromEntries(url.searchParams);
    let isOpen = true;
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const body = new Promise<string>((resolve) => request.on("end", () => resolve(text)));
    const one: Asked = {
      method: request.method ?? "GET",
      path: url.pathname,
      query,
      client: String(request.headers["x-client"] ?? ""),
      at: performance.now(),
      get body() {
        return text;
      },
      get isOpen() {
        return isOpen;
      },
    };
    asked.push(one);
    response.on("close", () => (isOpen = false));
    const script = scripted(one);
    const act = (): void => {
      if (script?.instead === "connection") request.socket.destroy();
      else if (script?.instead === "stall") {
        response.writeHead(200, { "content-type": "application/json" });
        response.write("{");
      } else if (script?.status !== undefined) {
        if (script.isDone === true) void serve(request, url, query, new ServerResponse(request), body);
        send(
          response,
          script.status,
          script.body ?? status(script.status, "", `${script.status}, as scripted`),
          script.headers,
        );
      } else if (script?.instead !== "silence") void serve(request, url, query, response, body);
    };
    if (script?.delayMs === undefined) act();
    else setTimeout(act, script.delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const connect = (client = ""): Api => {
    const headers = client === "" ? {} : { "x-client": client };
    const api = createApi({ server: `http://127.0.0.1:${port}`, tls: {}, headers: () => Promise.resolve(headers) });
    clients.push(api);
    return api;
  };
  const collectionOf = (path: string): Collection => {
    const found = collections.get(path);
    if (found === undefined) throw new Error(`${path} is not served`);
    return found;
  };
  const toAll = (text: string | Uint8Array): void => {
    for (const { response } of watches) response.write(text);
  };

  const endWatches = (which: (one: Watch) => boolean): void => {
    for (const one of [...watches].filter(which)) {
      watches.delete(one);
      one.response.end();
    }
  };

  return {
    url: `http://127.0.0.1:${port}`,
    api: connect(),
    connect,
    asked,
    get watches() {
      return watches.size;
    },
    get version() {
      return version;
    },
    serve: (path) => void collections.set(path, { path, objects: new Map(), changes: [], compacted: version }),
    withdraw(path) {
      const collection = collectionOf(path);
      collections.delete(path);
      // Its objects go with it, and every deletion has a version of its own.
      version += 1;
      endWatches((one) => one.collection === collection);
    },
    put: (path, object) => put(collectionOf(path), object),
    delete: (path, key) => remove(collectionOf(path), key),
    objects: (path) => [...collectionOf(path).objects.values()],
    answer: (script) => void scripts.push({ script, left: script.times ?? 1 }),
    cut() {
      for (const { response } of watches) response.socket?.destroy();
      watches.clear();
    },
    end: () => endWatches(() => true),
    bookmark: () =>
      toAll(`${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(version) } } })}\n`),
    write: toAll,
    compact(as = "status") {
      expiry = as;
      version += 1;
      for (const collection of collections.values()) {
        collection.compacted = version;
        collection.changes.length = 0;
      }
    },
    mute: (now) => void (muted = now),
    async stop() {
      await Promise.all(clients.map((client) => client.close()));
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
