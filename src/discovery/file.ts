/** A config in a file, in the format of STUNner's dataplanes: JSON or YAML, with placeholders. */
import { readFileSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { Observable } from "rxjs";
import { parse as parseYaml } from "yaml";
import { messageOf, TurnpikeError } from "../errors.ts";
import type { DataplaneConfig } from "../resources/dataplane-config.ts";
import type { ConfigEvent } from "./client.ts";
import { readConfig } from "./document.ts";
import { expandPlaceholders, type Environment } from "./placeholders.ts";

/** How often the file is checked, in case the system dropped a notification; milliseconds. */
const LOOK_MS = 1000;

/** JSON is YAML. The parser's own message would quote the text, which contains secrets. */
const parseText = (text: string): unknown => {
  try {
    return parseYaml(text, { prettyErrors: false });
  } catch {
    throw new TurnpikeError("config-invalid", "the document is neither JSON nor YAML");
  }
};

/** @throws TurnpikeError `config-invalid`; the error of reading the file. */
export const readConfigFile = (path: string, environment: Environment = process.env): DataplaneConfig =>
  readConfig(expandPlaceholders(parseText(readFileSync(path, "utf8")), environment));

const signatureOf = (path: string): string | undefined => {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
};

/**
 * Follows `path` as it is edited, replaced, removed or, in a mounted ConfigMap, exchanged through a symbolic link. If the
 * file is missing or cannot be read, the last version stays active.
 */
export const watchConfigFile = (path: string, environment: Environment = process.env): Observable<ConfigEvent> =>
  new Observable((subscriber) => {
    let seen: string | undefined;
    let isLost = false;
    let text: string | undefined;

    const lose = (reason: string): void => {
      if (!isLost) subscriber.next({ event: "lost", reason });
      isLost = true;
    };
    const look = (): void => {
      const now = signatureOf(path);
      if (now === undefined) {
        seen = undefined;
        return lose(`${path} is not there`);
      }
      if (now === seen) return undefined;
      seen = now;
      try {
        const next = readFileSync(path, "utf8");
        if (isLost) subscriber.next({ event: "restored" });
        isLost = false;
        // An editor truncates a file before it writes it.
        if (next === "" || next === text) return undefined;
        text = next;
        subscriber.next({ event: "config", config: readConfig(expandPlaceholders(parseText(next), environment)) });
      } catch (error) {
        const reason = messageOf(error);
        if (error instanceof TurnpikeError) subscriber.next({ event: "refused", reason });
        else lose(reason);
      }
      return undefined;
    };

    const timer = setInterval(look, LOOK_MS);
    let watcher: ReturnType<typeof watch> | undefined;
    try {
      // Watches the folder: a watch of the file would end when the file is replaced.
      watcher = watch(dirname(path), look);
      watcher.on("error", () => undefined);
    } catch {
      // The folder does not exist (yet); the timer checks again.
    }
    look();
    return () => {
      clearInterval(timer);
      watcher?.close();
    };
  });
