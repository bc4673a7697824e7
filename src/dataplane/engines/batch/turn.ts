/** What arrived in a turn; "others": something for libuv, perhaps beside packets. */
export type Arrived = "packets" | "others" | "nothing";

/** Makes one turn, which waits `patienceMs` at most; without an end if that is negative. */
export type Turn = (patienceMs: number) => Arrived;
