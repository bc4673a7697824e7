/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The map of flows, to which user space adds and from which it removes, and the headers of the packets that are sent. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_FLOWS 262144
/* In `packets` of a flow that is being removed. */
#define CLOSED (1ull << 63)
#define CHANNEL_HEADER 4
#define MAX_HEADERS (sizeof(struct ipv6hdr) + sizeof(struct udphdr) + CHANNEL_HEADER)
#define MAX_PAYLOAD 2048
#define MAX_PADDING 3

/* In network byte order; IPv4 addresses in IPv4-mapped form. */
struct endpoints {
  __u32 source[4];
  __u32 target[4];
  __be16 source_port;
  __be16 target_port;
};

/* An incoming packet. */
struct key {
  struct endpoints at;
  /* Channel number of ChannelData from a client; 0 for data from a peer. */
  __be16 channel;
  __u16 zero;
};

/* The packet to send instead. */
struct flow {
  struct endpoints at;
  /* Channel number to add; 0 if one is removed. */
  __be16 channel;
  __u16 is_ipv6;
  __u32 interface;
  /* For user space. */
  __u32 owner;
  __u64 id;
  /* Packets that were taken to be forwarded; `settled` of them are in `bytes`. */
  __u64 packets;
  __u64 settled;
  __u64 bytes;
  /* Time of the last packet, in nanoseconds of CLOCK_MONOTONIC_COARSE (one tick of the kernel exact). */
  __u64 seen_at;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_FLOWS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct key);
  __type(value, struct flow);
} flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  /* Whole words. */
  __type(value, __u8[MAX_HEADERS + MAX_PAYLOAD + 4]);
} scratch SEC(".maps");

/* Returns its argument, and keeps the compiler from removing bounds checks that the verifier needs. */
static __always_inline __u32 opaque(__u32 value) {
  asm volatile("" : "+r"(value));
  return value;
}

static __always_inline __u32 fold32(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  return (sum & 0xffffffff) + (sum >> 32);
}

static __always_inline __u16 fold16(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

/* The addresses' part of a checksum. The prefix ::ffff:0:0/96 adds zero in one's complement arithmetic. */
static __always_inline __u64 sum_of(const __u32 *addresses) {
  __u64 sum = 0;
#pragma unroll
  for (int word = 0; word < 8; word++) sum += addresses[word];
  return sum;
}

static __always_inline void map_ipv4(__u32 *words, __be32 address) {
  words[0] = words[1] = 0;
  words[2] = bpf_htonl(0xffff);
  words[3] = address;
}

static __always_inline int is_channel(__be16 first) {
  return (first & bpf_htons(0xc000)) == bpf_htons(0x4000);
}

/*
 * Counts a packet that is forwarded as `copy` of `flow` says. Returns 0 if the flow was removed meanwhile, and its memory
 * perhaps reused: the packet must not be forwarded then. The code that closes the flow therefore knows exactly how many
 * packets were forwarded.
 */
static __always_inline int count(struct flow *flow, const struct flow *copy, __u32 size) {
  if (__sync_fetch_and_add(&flow->packets, 1) & CLOSED) return 0;
  int is_same = *(volatile __u64 *)&flow->id == copy->id;
  if (is_same) {
    __sync_fetch_and_add(&flow->bytes, size);
    flow->seen_at = bpf_ktime_get_coarse_ns();
  }
  __sync_fetch_and_add(&flow->settled, 1);
  return is_same;
}

static __always_inline struct iphdr ipv4_header(const struct flow *flow, __u8 tos, __be16 id, __be16 flags, __u8 ttl, __u32 udp_size) {
  struct iphdr ip = {.version = 4, .ihl = 5, .tos = tos, .tot_len = bpf_htons(sizeof(ip) + udp_size), .id = id,
                     .frag_off = flags, .ttl = ttl, .protocol = IPPROTO_UDP};
  ip.saddr = flow->at.source[3];
  ip.daddr = flow->at.target[3];
  __u32 sum = 0;
#pragma unroll
  for (int half = 0; half < 10; half++) sum += ((__u16 *)&ip)[half];
  ip.check = ~fold16(sum);
  return ip;
}

static __always_inline struct ipv6hdr ipv6_header(const struct flow *flow, __u8 traffic_class, __u8 hop_limit, __u32 udp_size) {
  struct ipv6hdr ip = {.version = 6, .payload_len = bpf_htons(udp_size), .nexthdr = IPPROTO_UDP, .hop_limit = hop_limit};
  ip.priority = traffic_class >> 4;
  ip.flow_lbl[0] = traffic_class << 4;
  __builtin_memcpy(&ip.saddr, flow->at.source, 32);
  return ip;
}
