/** The source of a log: the admin API of this page's own program, or a file that the user opens. */
import type { JournalLine } from "../../journal/fact.ts";
import { upcast, upcasters, type WrittenLine } from "../../journal/upcast.ts";

export interface LogReader {
  readonly onLines: (lines: readonly JournalLine[]) => void;
  /** @param share of the size when reading began, 0 to 1. */
  readonly onProgress: (share: number) => void;
  /** Everything that existed when reading began has been read. */
  readonly onLoaded: () => void;
}

/** Why a log cannot be read, and what to do. */
export class LogError extends Error {
  readonly todo: string;
  /** `passing`: a retry may help. `token`: the program requires a token, or another one. */
  readonly kind: "lasting" | "passing" | "token";

  constructor(message: string, todo: string, kind: LogError["kind"] = "lasting") {
    super(message);
    this.todo = todo;
    this.kind = kind;
  }
}

const TOKEN = "turnpike-token";

/** A token in the fragment of a link, `#token=…`, is never sent in a URL; it is kept only for this tab. */
export const takeToken = (): void => {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return;
  sessionStorage.setItem(TOKEN, token);
  fragment.delete("token");
  history.replaceState(null, "", `#${fragment}`);
};

export const setToken = (token: string): void => sessionStorage.setItem(TOKEN, token);

/** @throws LogError. */
export const ask = async (path: string, signal?: AbortSignal): Promise<Response> => {
  const token = sessionStorage.getItem(TOKEN);
  let response: Response;
  try {
    response = await fetch(path, {
      ...(signal !== undefined && { signal }),
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new LogError("nothing answers here", "it may have been stopped; the page tries again by itself", "passing");
  }
  if (response.status === 401)
    throw new LogError("a token is asked for", "give the one in --admin-token-file", "token");
  if (!response.ok) throw new LogError(`${path} answered ${response.status}`, (await response.text()).trim());
  return response;
};

const parse = (text: string, number: number): JournalLine => {
  let line: WrittenLine | null;
  try {
    line = JSON.parse(text) as WrittenLine | null;
  } catch {
    throw new LogError(`line ${number} is not JSON`, "open an event log: a file of JSON lines, 000000000001.jsonl say");
  }
  if (line === null || typeof line.seq !== "number" || typeof line.type !== "string" || typeof line.v !== "number")
    throw new LogError(
      `line ${number} is not a line of an event log: v, seq or type is missing`,
      "open a file of a log's folder, or what `turnpike log --json` printed",
    );
  const current = upcast(line, upcasters);
  if (current === undefined)
    throw new LogError(
      `line ${number} has version ${line.v}; this page reads up to ${upcasters.current}`,
      "open it with the release that wrote it",
    );
  return current as unknown as JournalLine;
};

/** How long lines are read without a pause: then the page draws. */
const BATCH_MS = 150;

const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => resolve(), { once: true });
    port1.start();
    port2.postMessage(undefined);
  });

/**
 * Reads lines until the stream ends. @param bytes size when it began.
 * @throws LogError; the errors of the stream.
 */
const readLines = async (stream: ReadableStream<Uint8Array>, bytes: number, reader: LogReader): Promise<void> => {
  const decoder = new TextDecoder();
  const chunks = stream.getReader();
  let [seen, number, rest, isLoaded] = [0, 0, "", false];
  let lines: JournalLine[] = [];
  let turnEnds = performance.now() + BATCH_MS;
  const hand = (): void => {
    if (lines.length > 0) reader.onLines(lines);
    lines = [];
  };
  const checkLoaded = (): void => {
    if (isLoaded || seen < bytes) return;
    isLoaded = true;
    hand();
    reader.onLoaded();
  };
  checkLoaded();
  for (;;) {
    const { done, value } = await chunks.read();
    if (done) break;
    seen += value.byteLength;
    rest += decoder.decode(value, { stream: true });
    let start = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
      number += 1;
      if (end > start) lines.push(parse(rest.slice(start, end), number));
      start = end + 1;
      if (performance.now() < turnEnds) continue;
      hand();
      if (!isLoaded) reader.onProgress(Math.min(1, seen / bytes));
      await breathe();
      turnEnds = performance.now() + BATCH_MS;
    }
    rest = rest.slice(start);
    if (isLoaded) hand();
    checkLoaded();
  }
  // A line that a crash tore is left out, as in all readers.
  hand();
  if (!isLoaded) reader.onLoaded();
};

export const readFile = (file: Blob, reader: LogReader): Promise<void> => readLines(file.stream(), file.size, reader);

/** Reads a log at a path of this origin, for example `/api/v1/log?from=4000`, to its end. @throws LogError. */
export const readPath = async (path: string, signal: AbortSignal, reader: LogReader): Promise<void> => {
  if (!path.startsWith("/api/"))
    throw new LogError(`${path} is no log of this program`, "a link names a path such as /api/v1/log?from=4000");
  const response = await ask(path, signal);
  if (response.body === null) throw new LogError("the answer has no body", "reload the page");
  await readLines(response.body, Number(response.headers.get("turnpike-log-bytes")), reader);
};

/** Number of lines that are loaded at first; a log may have millions. */
const LAST = 200_000;

/**
 * Reads the log of the admin API and follows it. @param after the last line that is known already; 0: from the beginning.
 */
export const readLive = async (after: number, signal: AbortSignal, reader: LogReader): Promise<void> => {
  const from = after > 0 ? `from=${after + 1}` : `last=${LAST}`;
  const response = await ask(`/api/v1/log?${from}&follow`, signal);
  if (response.body === null) throw new LogError("the answer has no body", "reload the page");
  // Omitted lines are included in the byte count, but are not sent.
  const bytes = after > 0 ? 0 : Number(response.headers.get("turnpike-log-bytes"));
  await readLines(response.body, bytes, reader);
  throw new LogError("the connection ended", "it may have been stopped; the page tries again by itself", "passing");
};
