/** What others may know of offload: its words. */
export { handedUp, type HandedUp } from "./handed-up.ts";
export { staysBecause, type StaysBecause } from "./offload.ts";
export type { OffloadState } from "./engine.ts";
