/**
 * Client sockets of workers: one of each worker on every port, which all share it (SO_REUSEPORT). They are opened and
 * closed here, so that a worker that ends closes none: the kernel distributes clients by the number of sockets, and one
 * fewer would reassign other workers' clients.
 */
import { formatAddress, type TransportAddress } from "../../net/address.ts";
import { boundSocket } from "../engines/batch/datagram-socket.ts";
import type { Sys } from "../engines/batch/sys.ts";

const BUFFER_BYTES = 4 << 20;

export interface SharedSockets {
  /** The descriptor of `worker` on `at`. @throws the error of binding it. */
  open(worker: number, at: TransportAddress): number;
  /** Closes the port of `at` once no worker wants it. */
  close(worker: number, at: TransportAddress): void;
  closeAll(): void;
}

export const createSharedSockets = (sys: Sys, workers: number): SharedSockets => {
  const ports = new Map<string, { readonly fds: readonly number[]; readonly wanted: Set<number> }>();

  return {
    open(worker, at) {
      const key = formatAddress(at.address, at.port);
      let port = ports.get(key);
      if (port === undefined) {
        // All at once, in order: the kernel assigns clients to them from the first one on.
        const fds: number[] = [];
        try {
          for (let index = 0; index < workers; index++)
            fds.push(boundSocket(sys, at, BUFFER_BYTES, { reusePort: true }));
        } catch (error) {
          for (const fd of fds) sys.close(fd);
          throw error;
        }
        ports.set(key, (port = { fds, wanted: new Set() }));
      }
      port.wanted.add(worker);
      return port.fds[worker] ?? -1;
    },
    close(worker, at) {
      const key = formatAddress(at.address, at.port);
      const port = ports.get(key);
      port?.wanted.delete(worker);
      if (port === undefined || port.wanted.size > 0) return;
      ports.delete(key);
      for (const fd of port.fds) sys.close(fd);
    },
    closeAll() {
      for (const { fds } of ports.values()) for (const fd of fds) sys.close(fd);
      ports.clear();
    },
  };
};
