/** What a test needs to know of a media server: to run it by its guide, and to hold calls with it. */
import { readFileSync } from "node:fs";
import type { Literal } from "../cluster/client.ts";
import type { CallPage } from "./page.ts";

export interface GuidedServer {
  /** With its version. */
  readonly title: string;
  /** The page of `docs/guides` that it is run by, and what that calls things. */
  readonly guide: string;
  readonly namespace: string;
  /** Of its Deployment, its Service and its route, and the label `app` of its pods. */
  readonly name: string;
  /** Name of its Gateway. */
  readonly gateway: string;
  readonly signallingPort: number;
  /** Archives of the images that the guide's manifests name. */
  images(): Promise<readonly string[]>;
  /** What else its pods read; it is applied before they begin. @param gateway the address of the Gateway. */
  configuration(gateway: string): readonly Literal[];
}

export interface MediaServer extends GuidedServer {
  /** A port of its media, which the guide's route names. */
  readonly mediaPort: number;
  /** Whether a server that is asked to end waits for its calls. */
  readonly drains: boolean;
  /** The client's library: texts of scripts. */
  readonly scripts: readonly string[];
  /** Joins a call by the server's own client, with camera and microphone. @param gateway its address, for `iceServers`. */
  join(page: CallPage, signalling: string, gateway: string): Promise<void>;
}

const { devDependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly devDependencies: Readonly<Record<string, string>>;
};

/** The client's library and its version. @param name of the package. */
export const clientOf = (name: string): string => `${name} ${devDependencies[name] ?? "?"}`;
