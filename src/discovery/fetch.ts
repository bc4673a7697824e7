/**
 * One request for the state of a discovery server. Placeholders stay as they are: they are for the dataplane's own watch.
 */
import { messageOf, TurnpikeError } from "../errors.ts";
import { get } from "node:http";
import { get as getSecurely } from "node:https";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import { parseDocument, readConfig } from "./document.ts";
import { addressOf, type DiscoveryTarget } from "./origin.ts";
import { LICENSE_PATH } from "./protocol.ts";

export interface FetchOptions extends DiscoveryTarget {
  /** For the whole request; 10 s by default. */
  readonly timeoutMs?: number;
}

/** Why there is no config: no server answered, or it answered with `status`. */
export class DiscoveryError extends TurnpikeError {
  /** Undefined if no server answered. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(status === undefined ? "discovery-unreachable" : "discovery-refused", message, options);
    this.name = "DiscoveryError";
    this.status = status;
  }
}

const MAX_BODY_BYTES = 256 * 1024 * 1024;
const MAX_MESSAGE_CHARACTERS = 300;

const fetchText = async (target: FetchOptions, otherPath?: string): Promise<string> => {
  const { secure, host, headers, ...address } = addressOf(target);
  const path = otherPath ?? address.path;
  const signal = AbortSignal.timeout(target.timeoutMs ?? 10_000);
  const url = `${secure ? "https" : "http"}://${host}${path}`;
  const chunks: Buffer[] = [];
  let status = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const request = (secure ? getSecurely : get)(
        url,
        { headers, signal, agent: false, ...(target.ca === undefined ? {} : { ca: target.ca }) },
        (response) => {
          status = response.statusCode ?? 0;
          let bytes = 0;
          response.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > MAX_BODY_BYTES) request.destroy(new Error("the answer is too large"));
            else chunks.push(chunk);
          });
          response.on("end", resolve);
          response.on("error", reject);
        },
      );
      request.on("error", reject);
    });
  } catch (error) {
    const reason = signal.aborted ? "no answer in time" : messageOf(error);
    throw new DiscoveryError(`${url}: ${reason}`, undefined, { cause: error });
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (status === 200) return text;
  throw new DiscoveryError(`${url}: ${status} ${text.trim().slice(0, MAX_MESSAGE_CHARACTERS)}`, status);
};

/**
 * The config of `id`.
 * @throws DiscoveryError; TurnpikeError `config-invalid`; RangeError if the origin or id is malformed.
 */
export const fetchConfig = async (options: FetchOptions & { readonly id: string }): Promise<DataplaneConfig> =>
  readConfig(parseDocument(await fetchText(options)));

/**
 * All configs, or those of `namespace`.
 * @throws as `fetchConfig`.
 */
export const fetchConfigs = async (options: Omit<FetchOptions, "id" | "node">): Promise<readonly DataplaneConfig[]> => {
  const list = parseDocument(await fetchText(options));
  const items = typeof list === "object" && list !== null && "items" in list ? list.items : undefined;
  return Array.isArray(items) ? items.map(readConfig) : [];
};

export interface LicenseStatus {
  readonly enabledFeatures: readonly string[];
  readonly subscriptionType: string;
  readonly lastUpdated: string;
  readonly lastError: string;
}

/** Always the same for our server; for STUNner's, the purchased tier. @throws as `fetchConfig`. */
export const fetchLicense = async (options: FetchOptions): Promise<LicenseStatus> => {
  const {
    enabledFeatures = [],
    subscriptionType = "",
    lastUpdated = "",
    lastError = "",
  } = parseDocument(await fetchText(options, LICENSE_PATH)) as Partial<LicenseStatus>;
  return { enabledFeatures, subscriptionType, lastUpdated, lastError };
};
