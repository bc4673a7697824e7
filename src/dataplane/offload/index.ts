/** What other rooms may import from offload: its vocabulary. */
export { passReasons, type PassReason } from "./pass-reasons.ts";
export { userSpaceReasons, type UserSpaceReason } from "./offload.ts";
export type { OffloadState } from "./engine.ts";
