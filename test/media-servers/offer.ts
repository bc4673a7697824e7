/** Servers that answer an offer over HTTP, `POST /api/offer`; a browser calls them without a library. */
import { readFileSync } from "node:fs";
import type { CallPage } from "./page.ts";

/** What is in `programs/NAME`. */
export const programText = (name: string): string => readFileSync(new URL(`programs/${name}`, import.meta.url), "utf8");

/** Of a page that makes an offer and takes the answer: `exchange` in `programs/exchange.js`. */
export const exchangeScript = programText("exchange.js");

export const offerScripts = [exchangeScript, programText("caller.js")] as const;

/** Makes a call in a page that has `offerScripts`. @param server `http://HOST:PORT`. @param gateway its address. */
export const offerCall = (page: CallPage, server: string, gateway: string): Promise<void> =>
  page.run(
    (to, urls) => {
      const { callServer } = globalThis as unknown as { callServer(server: string, urls: string): Promise<void> };
      return callServer(to, urls);
    },
    server,
    `turn:${gateway}:3478`,
  );
