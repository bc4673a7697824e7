/**
 * Profiles of this process, for Chrome's developer tools: where CPU time goes, and what is on the heap. A heap snapshot contains
 * secrets, and takes time in which nothing else runs.
 */
import { Session } from "node:inspector/promises";
import type { ServerResponse } from "node:http";
import { answer, urlOf, type Handler } from "../http.ts";

const DEFAULT_SECONDS = 10;
const MAX_SECONDS = 120;

let isBusy = false;

const cpuProfile = async (session: Session, seconds: number, response: ServerResponse): Promise<void> => {
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  // A client that leaves ends the profile.
  const gone = new Promise<void>((resolve) => response.once("close", resolve));
  await Promise.race([gone, new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000).unref())]);
  const { profile } = await session.post("Profiler.stop");
  answer(response, 200, JSON.stringify(profile), "application/json");
};

const heapSnapshot = async (session: Session, response: ServerResponse): Promise<void> => {
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  session.on("HeapProfiler.addHeapSnapshotChunk", ({ params }) => void response.write(params.chunk));
  await session.post("HeapProfiler.takeHeapSnapshot");
  response.end();
};

/** A server of its own for them, with the paths of Go's `net/http/pprof`. */
export const profileListener: Handler = (request, response) => {
  const url = urlOf(request);
  const text = url?.searchParams.get("seconds");
  const seconds = text != null && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
  if (url?.pathname === "/debug/pprof/profile") return answerProfile("cpu", seconds, response);
  if (url?.pathname === "/debug/pprof/heap") return answerProfile("heap", seconds, response);
  return answer(response, 404, "there are /debug/pprof/profile?seconds=N and /debug/pprof/heap\n");
};

/** @param seconds of a CPU profile, 1 to 120; 10 if absent. One profile is made at a time. */
export const answerProfile = async (
  what: "cpu" | "heap",
  seconds: number | undefined,
  response: ServerResponse,
): Promise<void> => {
  const length = seconds ?? DEFAULT_SECONDS;
  if (length < 1 || length > MAX_SECONDS) return answer(response, 400, `seconds: expected 1 to ${MAX_SECONDS}\n`);
  if (isBusy) return answer(response, 503, "another profile is being made\n");
  isBusy = true;
  const session = new Session();
  session.connect();
  try {
    if (what === "cpu") await cpuProfile(session, length, response);
    else await heapSnapshot(session, response);
  } finally {
    session.disconnect();
    isBusy = false;
  }
};
