/** A receiver of usage records, which can be down. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { UsageRecord } from "../../src/runtime/accounting/record.ts";

export interface Request {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

export interface RecordReceiver {
  readonly url: string;
  /** Those that were acknowledged, once each. */
  readonly records: readonly UsageRecord[];
  /** Acknowledged, again included. */
  readonly taken: number;
  /** All of them, also those that were refused. */
  readonly requests: readonly Request[];
  /** From now on requests get this answer; `undefined`: they are taken, and the connection then breaks. */
  answer(status: number | undefined, headers?: Readonly<Record<string, string>>, body?: string): void;
  /** Largest number of records in a request; a request with more gets 413. */
  limit: number;
  close(): Promise<void>;
}

export const startReceiver = async (): Promise<RecordReceiver> => {
  const records = new Map<string, UsageRecord>();
  const requests: Request[] = [];
  let taken = 0;
  let next: { readonly status: number | undefined; readonly headers: Record<string, string>; readonly body: string } = {
    status: 200,
    headers: {},
    body: "",
  };
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const body = JSON.parse(text) as { readonly records?: readonly UsageRecord[] };
      requests.push({ path: request.url ?? "", authorization: request.headers.authorization, body });
      if ((body.records?.length ?? 0) > receiver.limit) {
        response.writeHead(413).end();
        return;
      }
      const { status, headers } = next;
      if (status === undefined || status < 300)
        for (const record of body.records ?? []) {
          taken += 1;
          records.set(record.id, record);
        }
      if (status === undefined) request.socket.destroy();
      else response.writeHead(status, headers).end(next.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: RecordReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/usage`,
    get records() {
      return [...records.values()];
    },
    get taken() {
      return taken;
    },
    requests,
    answer: (status, headers = {}, body = "") => void (next = { status, headers, body }),
    limit: Infinity,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
};
