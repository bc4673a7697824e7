// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The filter for kernels without TCX links (before Linux 6.6). A filter outlives the process that attached it, so it must not
 * be the program that forwards. This one only jumps there, through a map that the kernel empties when the last process that
 * holds it ends. After that every packet is passed to user space.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} programs SEC(".maps");

SEC("tc")
int tail_call(struct __sk_buff *skb) {
  bpf_tail_call(skb, &programs, 0);
  return TC_ACT_UNSPEC;
}

char terms[] SEC("license") = "Dual BSD/GPL";
