import { expect, it, onTestFinished } from "vitest";
import { serveHttp } from "../http.ts";
import { profileListener } from "./profiles.ts";

it("serves profiles at the paths of Go's programs", async () => {
  const { port, close } = await serveHttp("127.0.0.1", 0, profileListener);
  onTestFinished(close);
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
  expect(await (await get("/debug/pprof/profile?seconds=1")).json()).toMatchObject({ nodes: expect.any(Array) });
  expect(await (await get("/debug/pprof/heap")).json()).toMatchObject({ snapshot: expect.any(Object) });
  expect((await get("/debug/pprof/profile?seconds=121")).status).toBe(400);
  expect((await get("/debug/pprof/")).status).toBe(404);
});
