/** Summarizes offload in one line. */
import type { ProgramState } from "../admin/state.ts";

export const channelsOf = ({ allocations }: ProgramState) =>
  allocations.flatMap(({ client, relayed, channels }) => channels.map((channel) => ({ client, relayed, ...channel })));

/** Undefined if no config asks for offload. */
export const offloadLine = (state: ProgramState): string | undefined => {
  const { offload } = state.relay;
  if (offload === undefined) return undefined;
  if (offload.engine === "None") return `Offload: unavailable, user space relays all packets: ${offload.reason}`;
  const channels = channelsOf(state);
  const kernel = channels.filter(({ way }) => way === "kernel").length;
  const on = (["XDP", "TC"] as const).flatMap((engine) => {
    const names = offload.interfaces.filter((one) => one.engine === engine).map(({ name }) => name);
    return names.length === 0 ? [] : [`${engine} on ${names.join(", ")}`];
  });
  return `Offload: ${on.join("; ")}; the kernel forwards ${kernel} of ${channels.length} channels`;
};
