/** A small client of the API server for tests: objects in, objects out, and errors that say what the server said. */
import { setTimeout as pause } from "node:timers/promises";
import { Agent, request } from "undici";

export interface Reference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** An object written out in a test. */
export interface Literal {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Reference["metadata"] & { readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface Listed {
  readonly apiVersion: string;
  readonly kind: string;
  /** All namespaces, if absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
}

export interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

/** The server refused; `reason` is its word for why (`NotFound`, `Conflict`, `Invalid`). */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** Ignores that something is not there. */
export const orAbsent = (error: unknown): undefined => {
  if (error instanceof ApiError && error.status === 404) return undefined;
  throw error;
};

export interface Question {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

/** As many as client-go makes. */
const RETRIES = 10;

export type PatchType = "merge" | "strategic-merge" | "json";

export interface Access {
  readonly url: string;
  readonly token: string;
  /** PEM. */
  readonly ca?: string;
}

export const groupPath = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

const answerOf = (status: number, text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return { reason: `HTTP ${status}`, message: text };
  }
};

export class Client {
  readonly #access: Access;
  readonly #agent: Agent;
  readonly #resources = new Map<string, readonly Resource[]>();

  constructor(access: Access) {
    this.#access = access;
    this.#agent = new Agent({ connect: access.ca === undefined ? { rejectUnauthorized: false } : { ca: access.ca } });
  }

  /** Any request; `path` starts at `/api` or `/apis`. */
  /** A server that has too much to do, or has just started, is asked again when it says, as client-go does. */
  async request<T>(path: string, question: Question = {}): Promise<T> {
    for (let left = RETRIES; ; left -= 1) {
      const { statusCode, retryAfterSeconds, answer } = await this.#ask(path, question);
      if (statusCode < 400) return answer as T;
      if (statusCode === 429 && retryAfterSeconds > 0 && left > 0) {
        await pause(retryAfterSeconds * 1000);
        continue;
      }
      const { reason = `HTTP ${statusCode}`, message = "" } = answer as { reason?: string; message?: string };
      throw new ApiError(statusCode, reason, message);
    }
  }

  async #ask(path: string, { method = "GET", body, contentType, accept }: Question) {
    const {
      statusCode,
      headers,
      body: stream,
    } = await request(`${this.#access.url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${this.#access.token}`,
        accept: accept ?? "application/json",
        ...(body === undefined ? {} : { "content-type": contentType ?? "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = answerOf(statusCode, await stream.text());
    return { statusCode, retryAfterSeconds: Number(headers["retry-after"] ?? 0), answer };
  }

  /** What the server serves of a group and version. */
  async resources(apiVersion: string): Promise<readonly Resource[]> {
    const { resources } = await this.request<{ resources: readonly Resource[] }>(groupPath(apiVersion));
    this.#resources.set(apiVersion, resources);
    return resources;
  }

  async pathOf({ apiVersion, kind, metadata }: Reference, subresource = ""): Promise<string> {
    const path = await this.#collection(apiVersion, kind, metadata.namespace, "default");
    return `${path}/${metadata.name}${subresource}`;
  }

  /** `T` is what the caller expects; nothing checks it. */
  async get<T = Reference>(reference: Reference): Promise<T> {
    return this.request<T>(await this.pathOf(reference));
  }

  async list<T = Reference>({ apiVersion, kind, namespace, labelSelector }: Listed): Promise<readonly T[]> {
    const path = await this.#collection(apiVersion, kind, namespace);
    const query = labelSelector === undefined ? "" : `?labelSelector=${encodeURIComponent(labelSelector)}`;
    return (await this.request<{ items: readonly T[] }>(`${path}${query}`)).items;
  }

  /** Server-side apply. Without `force`, a field that another manager owns is a conflict. */
  async apply<T = Reference>(
    object: Reference | Literal,
    { fieldManager = "test", force = true, subresource = "" }: ApplyOptions = {},
  ): Promise<T> {
    const query = new URLSearchParams({ fieldManager, force: String(force) });
    return this.request<T>(`${await this.pathOf(object, subresource)}?${query.toString()}`, {
      method: "PATCH",
      body: object,
      contentType: "application/apply-patch+yaml",
    });
  }

  async patch<T = Reference>(
    reference: Reference,
    patch: unknown,
    { type = "merge", subresource = "" }: { readonly type?: PatchType; readonly subresource?: string } = {},
  ): Promise<T> {
    return this.request<T>(await this.pathOf(reference, subresource), {
      method: "PATCH",
      body: patch,
      contentType: `application/${type}-patch+json`,
    });
  }

  /** Merges into the status; lists are replaced as a whole. */
  async patchStatus<T = Reference>(reference: Reference, status: unknown): Promise<T> {
    return this.patch<T>(reference, { status }, { subresource: "/status" });
  }

  /** What is not there counts as deleted. Pods go at once: there is no kubelet to wait for. */
  async delete(
    reference: Reference,
    { propagation = "Background" }: { readonly propagation?: "Background" | "Foreground" | "Orphan" } = {},
  ): Promise<void> {
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: propagation,
      ...(reference.kind === "Pod" ? { gracePeriodSeconds: 0 } : {}),
    };
    await this.request(await this.pathOf(reference), { method: "DELETE", body }).catch(orAbsent);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #collection(apiVersion: string, kind: string, namespace?: string, otherwise?: string): Promise<string> {
    const isIt = (one: Resource): boolean => one.kind === kind && !one.name.includes("/");
    const resource = this.#resources.get(apiVersion)?.find(isIt) ?? (await this.resources(apiVersion)).find(isIt);
    if (resource === undefined) throw new ApiError(404, "NotFound", `the server has no ${kind} of ${apiVersion}`);
    const where = resource.namespaced ? (namespace ?? otherwise) : undefined;
    return `${groupPath(apiVersion)}${where === undefined ? "" : `/namespaces/${where}`}/${resource.name}`;
  }
}

export interface ApplyOptions {
  readonly fieldManager?: string;
  readonly force?: boolean;
  readonly subresource?: string;
}
