/** Summarizes offload in one line. */
import type { ProgramState } from "../admin/state.ts";
import { offloadEnginesText } from "../journal/sentence.ts";

export const channelsOf = ({ allocations }: ProgramState) =>
  allocations.flatMap(({ client, relayed, channels }) => channels.map((channel) => ({ client, relayed, ...channel })));

/** Undefined if no config asks for offload. */
export const offloadLine = (state: ProgramState): string | undefined => {
  const { offload } = state.relay;
  if (offload === undefined) return undefined;
  if (offload.engine === "None") return `Offload: unavailable, user space relays all packets: ${offload.reason}`;
  const channels = channelsOf(state);
  const kernel = channels.filter(({ way }) => way === "kernel").length;
  return `Offload: ${offloadEnginesText(offload.interfaces)}; the kernel forwards ${kernel} of ${channels.length} channels`;
};
