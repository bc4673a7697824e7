/** Records as JSON: `{"records": [UsageRecord, …]}`. Any answer from 200 to 299 acknowledges all of them. */
import type { Encoding } from "./receiver.ts";

export const webhook: Encoding = {
  body: (records) => ({ records }),
  refused: () => 0,
};
