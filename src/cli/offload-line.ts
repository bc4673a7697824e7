/** What a running Turnpike says of offload in one line. */
import type { ProgramState } from "../admin/state.ts";

export const channelsOf = ({ allocations }: ProgramState) =>
  allocations.flatMap(({ client, relayed, channels }) => channels.map((channel) => ({ client, relayed, ...channel })));

/** One line: whether the kernel forwards, where, and how many channels; nothing where no config asks for it. */
export const offloadLine = (state: ProgramState): string | undefined => {
  const { offload } = state.relay;
  if (offload === undefined) return undefined;
  if (offload.engine === "None") return `Offload: asked for, but user space relays: ${offload.reason}`;
  const channels = channelsOf(state);
  const kernel = channels.filter(({ way }) => way === "kernel").length;
  return `Offload: ${offload.engine} on ${offload.interfaces.join(", ")}; the kernel forwards ${kernel} of ${channels.length} channels`;
};
