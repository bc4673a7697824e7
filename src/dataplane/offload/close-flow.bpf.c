// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Removes a flow, and reads its final counters. User space runs this program, because the system calls on maps cannot tell
 * whether a packet is being counted at the same time.
 */
#include "flows.h"

/* Longer than another CPU takes between two counters, unless it is interrupted there. */
#define PATIENCE 256

enum outcome { NOT_FOUND, REMOVED, UNSETTLED };

struct request {
  struct key key;
  /* The final counters; `packets` of a call that ended with UNSETTLED is given to the next one. */
  __u64 packets;
  __u64 bytes;
  __u64 seen_at;
};

SEC("syscall")
int close_flow(struct request *request) {
  struct key key = request->key;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow) return NOT_FOUND;
  __u64 packets = __sync_fetch_and_or(&flow->packets, CLOSED);
  if (packets & CLOSED) packets = request->packets;
  request->packets = packets;
  for (int tries = 0; *(volatile __u64 *)&flow->settled < packets; tries++)
    if (tries == PATIENCE) return UNSETTLED;
  request->bytes = flow->bytes;
  request->seen_at = flow->seen_at;
  bpf_map_delete_elem(&flows, &key);
  return REMOVED;
}

char terms[] SEC("license") = "Dual BSD/GPL";
