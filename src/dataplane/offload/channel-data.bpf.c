// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Forwards ChannelData (RFC 8656 §12) in both directions, at the ingress of an interface. Every packet that matches no flow, or that needs special treatment, is passed to user space unchanged.
 *
 * The program moves the payload instead of the headers. The UDP header keeps its position, so that a device completes a
 * partial checksum (CHECKSUM_PARTIAL, on veth and lo) in the right place.
 */
#include <linux/pkt_cls.h>
#include "flows.h"

/* The minimum MTU of IPv6 (RFC 8200 §5): shorter packets fit every link. */
#define EVERY_MTU 1280

/* Why a datagram is passed to user space; keep in step with pass-reasons.ts. */
enum pass_reason { NO_FLOW, INDICATION, OPTIONS, FRAGMENT, SEGMENTS, HOP_LIMIT, LENGTH, NO_CHECKSUM, TOO_LONG, FAILED, REASONS };

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, REASONS);
  __type(key, __u32);
  __type(value, __u64);
} passed SEC(".maps");

static __always_inline int pass(__u32 reason) {
  __u64 *count = bpf_map_lookup_elem(&passed, &reason);
  if (count) ++*count;
  return TC_ACT_UNSPEC;
}

/* The packet is partly rewritten and cannot be passed on. */
static __always_inline int drop(void) {
  pass(FAILED);
  return TC_ACT_SHOT;
}

SEC("tc")
int channel_data(struct __sk_buff *skb) {
  struct key key = {};
  __u32 ip_size, ip_payload;
  __u8 traffic_class, hop_limit;
  __be16 ip_id = 0, ip_flags = bpf_htons(0x4000);

  /* A tagged frame passes the VLAN interface's ingress as well. */
  if (skb->vlan_present) return TC_ACT_UNSPEC;
  void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
  if (skb->protocol == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP) return TC_ACT_UNSPEC;
    if (ip->ihl != 5) return pass(OPTIONS);
    if (ip->frag_off & bpf_htons(0x3fff)) return pass(FRAGMENT);
    map_ipv4(key.at.source, ip->saddr);
    map_ipv4(key.at.target, ip->daddr);
    ip_size = sizeof(*ip);
    ip_payload = bpf_ntohs(ip->tot_len) - sizeof(*ip);
    traffic_class = ip->tos;
    hop_limit = ip->ttl;
    ip_id = ip->id;
    ip_flags = ip->frag_off;
  } else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > end) return TC_ACT_UNSPEC;
    if (ip->nexthdr == IPPROTO_FRAGMENT) return pass(FRAGMENT);
    if (ip->nexthdr != IPPROTO_UDP) return TC_ACT_UNSPEC;
    __builtin_memcpy(key.at.source, &ip->saddr, 32);
    ip_size = sizeof(*ip);
    ip_payload = bpf_ntohs(ip->payload_len);
    traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
    hop_limit = ip->hop_limit;
  } else
    return TC_ACT_UNSPEC;

  __u32 udp_at = ETH_HLEN + ip_size;
  struct { struct udphdr udp; __be16 first, second; } head;
  if (bpf_skb_load_bytes(skb, udp_at, &head, sizeof(head.udp)) < 0) return TC_ACT_UNSPEC;
  __u32 had = bpf_ntohs(head.udp.len) - sizeof(head.udp);
  if (had > MAX_PAYLOAD + CHANNEL_HEADER) had = 0xffff;
  __u32 data_at = udp_at + sizeof(head.udp);
  head.first = head.second = 0;
  if (had >= CHANNEL_HEADER && bpf_skb_load_bytes(skb, data_at, &head.first, CHANNEL_HEADER) < 0) return pass(LENGTH);
  key.at.source_port = head.udp.source;
  key.at.target_port = head.udp.dest;

  struct flow *entry = 0;
  __u32 taken = 0, added = CHANNEL_HEADER;
  __u32 size = had;
  if (is_channel(head.first)) {
    key.channel = head.first;
    entry = bpf_map_lookup_elem(&flows, &key);
    if (entry) {
      taken = CHANNEL_HEADER;
      added = 0;
      size = bpf_ntohs(head.second);
    }
  }
  if (!entry) {
    key.channel = 0;
    entry = bpf_map_lookup_elem(&flows, &key);
    if (!entry) return pass(head.first == bpf_htons(0x0016) ? INDICATION : NO_FLOW);
  }
  struct flow flow = *entry;
  if (skb->gso_size) return pass(SEGMENTS);
  if (hop_limit <= 1) return pass(HOP_LIMIT);
  if (head.udp.check == 0) return pass(NO_CHECKSUM);
  if (had == 0xffff || size >= MAX_PAYLOAD) return pass(TOO_LONG);
  if (taken + size > had || bpf_ntohs(head.udp.len) > ip_payload || data_at + had > skb->len) return pass(LENGTH);
  /* RFC 8656 §12.5 allows padding. It is removed. */
  __u32 padding = had - taken - size;
  if (padding > MAX_PADDING) return pass(LENGTH);

  __u32 out_size = flow.is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
  __u32 udp_size = sizeof(head.udp) + added + size;
  if (added && out_size + udp_size > EVERY_MTU) {
    __u32 mtu = 0;
    __s32 more = (__s32)(ETH_HLEN + out_size + udp_size) - (__s32)skb->len;
    if (bpf_check_mtu(skb, flow.interface, &mtu, more, 0) != BPF_MTU_CHK_RET_SUCCESS) return pass(TOO_LONG);
  }

  __u32 first = 0;
  __u8 *buffer = bpf_map_lookup_elem(&scratch, &first);
  if (!buffer) return pass(FAILED);
  /* The headers are written backwards from here. */
  __u8 *payload = buffer + MAX_HEADERS;
  __u32 length = opaque(size + padding);
  if (length > 0 && (length > MAX_PAYLOAD || bpf_skb_load_bytes(skb, data_at + taken, payload, length) < 0))
    return pass(FAILED);
  __u64 gone = taken ? (__u64)head.first + head.second : 0;
#pragma unroll
  for (__u32 byte = 0; byte < MAX_PADDING; byte++) {
    __u32 at = size + byte;
    if (byte < padding && at < MAX_PAYLOAD) gone += payload[at] << (at % 2 * 8);
  }

  if (!count(entry, &flow, size)) return pass(NO_FLOW);

  __u64 header = 0;
  if (added) {
    __be16 channel[2] = {flow.channel, bpf_htons(size)};
    __builtin_memcpy(payload - CHANNEL_HEADER, channel, sizeof(channel));
    header = (__u64)channel[0] + channel[1];
  }
  struct udphdr udp = {flow.at.source_port, flow.at.target_port, bpf_htons(udp_size), head.udp.check};
  /* The length is part of both the pseudo header and the UDP header. */
  __u32 pseudo = fold32(sum_of(flow.at.source) + udp.len + 0xffffffffffff - sum_of(key.at.source) - head.udp.len);
  __u32 rest = fold32(header + udp.source + udp.dest + udp.len + 0xffffffff - key.at.source_port - key.at.target_port -
                      head.udp.len - gone);

  __u32 headers;
  if (flow.is_ipv6) {
    struct ipv6hdr ip = ipv6_header(&flow, traffic_class, hop_limit - 1, udp_size);
    __u8 *to = payload - added - sizeof(udp) - sizeof(ip);
    __builtin_memcpy(to, &ip, sizeof(ip));
    __builtin_memcpy(to + sizeof(ip), &udp, sizeof(udp));
    headers = sizeof(ip) + sizeof(udp) + added;
  } else {
    struct iphdr ip = ipv4_header(&flow, traffic_class, ip_id, ip_flags, hop_limit - 1, udp_size);
    __u8 *to = payload - added - sizeof(udp) - sizeof(ip);
    __builtin_memcpy(to, &ip, sizeof(ip));
    __builtin_memcpy(to + sizeof(ip), &udp, sizeof(udp));
    headers = sizeof(ip) + sizeof(udp) + added;
  }

  if (out_size != ip_size) {
    if (bpf_skb_change_proto(skb, flow.is_ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP), 0) < 0) return drop();
    __be16 protocol = out_size == sizeof(struct ipv6hdr) ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
    if (bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0) < 0) return drop();
  }
  if (bpf_skb_change_tail(skb, ETH_HLEN + out_size + udp_size, 0) < 0) return drop();
  __u32 whole = opaque(headers + size);
  if (headers > MAX_HEADERS || whole == 0 || whole > MAX_HEADERS + MAX_PAYLOAD) return drop();
  if (bpf_skb_store_bytes(skb, ETH_HLEN, payload - headers, whole, BPF_F_RECOMPUTE_CSUM) < 0) return drop();
  __u32 check_at = ETH_HLEN + out_size + offsetof(struct udphdr, check);
  if (bpf_l4_csum_replace(skb, check_at, 0, pseudo, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) < 0) return drop();
  if (bpf_l4_csum_replace(skb, check_at, 0, rest, BPF_F_MARK_MANGLED_0) < 0) return drop();
  /* For CHECKSUM_COMPLETE: only the first of the two calls above updates skb->csum. */
  bpf_csum_update(skb, ~rest);
  return bpf_redirect_neigh(flow.interface, 0, 0, 0);
}

char terms[] SEC("license") = "Dual BSD/GPL";
