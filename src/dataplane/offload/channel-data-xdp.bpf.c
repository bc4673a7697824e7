// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Forwards ChannelData (RFC 8656 §12) in both directions, in the driver of an interface. Every packet that matches no flow, or
 * that needs special treatment, is passed on unchanged; the program in channel-data.bpf.c, at the ingress of the same
 * interface, sees it next.
 *
 * The program moves the headers, and computes the UDP checksum anew: a packet that another network namespace sent over a
 * veth has the sum of its pseudo header in that field.
 */
#include "flows.h"

#define AF_INET 2
#define AF_INET6 10
/* bpf_csum_diff takes this much at a time. */
#define SUM_BLOCK 512
#define MIN_FRAME 60

/* The interfaces that the program may send to. */
struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u32);
} ports SEC(".maps");

/* Packets that the program forwarded. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} forwarded SEC(".maps");

/* The sum of `length` bytes of `buffer`, which has zeros up to the next word. */
static __always_inline __u32 sum_bytes(__u8 *buffer, __u32 length) {
  __u32 sum = 0;
#pragma unroll
  for (__u32 at = 0; at < MAX_PAYLOAD; at += SUM_BLOCK) {
    if (at < length) {
      __u32 block = opaque((length - at + 3) & ~3u);
      if (block > SUM_BLOCK) block = SUM_BLOCK;
      sum = bpf_csum_diff(0, 0, (__be32 *)(buffer + at), block, sum);
    }
  }
  return sum;
}

SEC("xdp")
int channel_data_xdp(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct key key = {};
  struct bpf_fib_lookup next = {};
  struct ethhdr *ethernet = data;
  struct udphdr *at;
  __u32 ip_size, ip_payload;
  __u8 traffic_class, hop_limit;
  __be16 ip_id = 0, ip_flags = bpf_htons(0x4000);

  if ((void *)(ethernet + 1) > end) return XDP_PASS;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl != 5) return XDP_PASS;
    if (ip->frag_off & bpf_htons(0x3fff)) return XDP_PASS;
    map_ipv4(key.at.source, ip->saddr);
    map_ipv4(key.at.target, ip->daddr);
    ip_size = sizeof(*ip);
    ip_payload = bpf_ntohs(ip->tot_len) - sizeof(*ip);
    traffic_class = ip->tos;
    hop_limit = ip->ttl;
    ip_id = ip->id;
    ip_flags = ip->frag_off;
    at = (void *)(ip + 1);
  } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP) return XDP_PASS;
    __builtin_memcpy(key.at.source, &ip->saddr, 32);
    ip_size = sizeof(*ip);
    ip_payload = bpf_ntohs(ip->payload_len);
    traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
    hop_limit = ip->hop_limit;
    at = (void *)(ip + 1);
  } else
    return XDP_PASS;
  if ((void *)(at + 1) > end) return XDP_PASS;
  struct udphdr had_udp = *at;
  __be16 first = 0, second = 0;
  __be16 *channel = (void *)(at + 1);
  __u32 had = bpf_ntohs(had_udp.len) - sizeof(had_udp);
  if (had > MAX_PAYLOAD + CHANNEL_HEADER || bpf_ntohs(had_udp.len) > ip_payload) return XDP_PASS;
  if (had >= CHANNEL_HEADER) {
    if ((void *)(channel + 2) > end) return XDP_PASS;
    first = channel[0];
    second = channel[1];
  }
  key.at.source_port = had_udp.source;
  key.at.target_port = had_udp.dest;

  struct flow *entry = 0;
  __u32 taken = 0, added = CHANNEL_HEADER, size = had;
  if (is_channel(first)) {
    key.channel = first;
    entry = bpf_map_lookup_elem(&flows, &key);
    if (entry) {
      taken = CHANNEL_HEADER;
      added = 0;
      size = bpf_ntohs(second);
    }
  }
  if (!entry) {
    key.channel = 0;
    entry = bpf_map_lookup_elem(&flows, &key);
    if (!entry) return XDP_PASS;
  }
  struct flow flow = *entry;
  __u32 interface = flow.interface;
  __u32 data_at = ETH_HLEN + ip_size + sizeof(struct udphdr);
  __u32 frame = end - data;
  if (hop_limit <= 1 || had_udp.check == 0 || size >= MAX_PAYLOAD) return XDP_PASS;
  if (taken + size > had || data_at + had > frame) return XDP_PASS;
  __u32 padding = had - taken - size;
  if (padding > MAX_PADDING) return XDP_PASS;
  if (interface != ctx->ingress_ifindex && !bpf_map_lookup_elem(&ports, &interface)) return XDP_PASS;

  __u32 zero = 0;
  __u8 *payload = bpf_map_lookup_elem(&scratch, &zero);
  if (!payload) return XDP_PASS;
  __u32 length = opaque(size + padding);
  if (length > MAX_PAYLOAD) return XDP_PASS;
  __builtin_memset(payload + (length & ~3u), 0, 4);
  if (length > 0 && bpf_xdp_load_bytes(ctx, data_at + taken, payload, length) < 0) return XDP_PASS;
  __u64 sum = sum_bytes(payload, length);
  __u64 removed = 0;
#pragma unroll
  for (__u32 byte = 0; byte < MAX_PADDING; byte++) {
    __u32 where = size + byte;
    if (byte < padding && where < MAX_PAYLOAD) removed += payload[where] << (where % 2 * 8);
  }
  __u64 pseudo = sum_of(key.at.source) + had_udp.len + bpf_htons(IPPROTO_UDP);
  __u64 whole = pseudo + sum + had_udp.source + had_udp.dest + had_udp.len + had_udp.check;
  if (taken) whole += (__u64)first + second;
  /* The checksum is neither correct nor left for the sender's device to complete. */
  if (fold16(fold32(whole)) != 0xffff && fold16(fold32(pseudo)) != had_udp.check) return XDP_PASS;

  __u32 out_size = flow.is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
  __u32 udp_size = sizeof(struct udphdr) + added + size;
  next.family = flow.is_ipv6 ? AF_INET6 : AF_INET;
  next.l4_protocol = IPPROTO_UDP;
  next.tot_len = out_size + udp_size;
  next.ifindex = interface;
  if (flow.is_ipv6)
    __builtin_memcpy(next.ipv6_src, flow.at.source, 32);
  else {
    next.ipv4_src = flow.at.source[3];
    next.ipv4_dst = flow.at.target[3];
  }
  if (bpf_fib_lookup(ctx, &next, sizeof(next), BPF_FIB_LOOKUP_OUTPUT) != BPF_FIB_LKUP_RET_SUCCESS) return XDP_PASS;
  if (next.ifindex != interface) return XDP_PASS;

  struct udphdr udp = {flow.at.source_port, flow.at.target_port, bpf_htons(udp_size), 0};
  __be16 header[2] = {flow.channel, bpf_htons(size)};
  sum += sum_of(flow.at.source) + udp.len + bpf_htons(IPPROTO_UDP) + udp.source + udp.dest + udp.len;
  /* Of what is removed, the complement is added. */
  sum += 0xffffffff - removed;
  if (added) sum += (__u64)header[0] + header[1];
  udp.check = ~fold16(fold32(sum));
  if (udp.check == 0) udp.check = 0xffff;

  __u32 trailer = frame - data_at - taken - size;
  __s32 shorter = (__s32)(ip_size + taken) - (__s32)(out_size + added);
  if (!count(entry, &flow, size)) return XDP_PASS;
  if (trailer > 0 && frame - trailer - shorter >= MIN_FRAME && bpf_xdp_adjust_tail(ctx, -(__s32)trailer) < 0) return XDP_DROP;
  if (bpf_xdp_adjust_head(ctx, shorter) < 0) return XDP_DROP;
  data = (void *)(long)ctx->data;
  end = (void *)(long)ctx->data_end;
  ethernet = data;
  if ((void *)(ethernet + 1) > end) return XDP_DROP;
  __builtin_memcpy(ethernet->h_dest, next.dmac, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, next.smac, ETH_ALEN);
  if (flow.is_ipv6) {
    ethernet->h_proto = bpf_htons(ETH_P_IPV6);
    struct ipv6hdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end) return XDP_DROP;
    *ip = ipv6_header(&flow, traffic_class, hop_limit - 1, udp_size);
    at = (void *)(ip + 1);
  } else {
    ethernet->h_proto = bpf_htons(ETH_P_IP);
    struct iphdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end) return XDP_DROP;
    *ip = ipv4_header(&flow, traffic_class, ip_id, ip_flags, hop_limit - 1, udp_size);
    at = (void *)(ip + 1);
  }
  if ((void *)(at + 1) > end) return XDP_DROP;
  *at = udp;
  if (added) {
    channel = (void *)(at + 1);
    if ((void *)(channel + 2) > end) return XDP_DROP;
    channel[0] = header[0];
    channel[1] = header[1];
  }
  __u64 *sent = bpf_map_lookup_elem(&forwarded, &zero);
  if (sent) ++*sent;
  return interface == ctx->ingress_ifindex ? XDP_TX : bpf_redirect_map(&ports, interface, 0);
}

char terms[] SEC("license") = "Dual BSD/GPL";
