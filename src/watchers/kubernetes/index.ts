/** The public part of the watches of an API server. */
export { watchCluster } from "./cluster.ts";
export type { ListWatchOptions } from "./list-watch.ts";
