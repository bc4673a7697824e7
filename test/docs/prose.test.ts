/** The prose check finds what docs/style.md advises against, and accepts plain English. */
import { expect, it } from "vitest";
import { findingsIn } from "../../scripts/prose.ts";

const old = [
  "it is gone since 12 s",
  "event 4711 lists it no more",
  "the peer was an endpoint, and is none any more",
  "the last good ones stay in force",
  "a listener's protocol is none of TURN's",
  "a certificate that is none",
  "a dataplane of one's own",
  "what effects must bring about",
  "1 while changes are heard of",
  "an address that clients are told",
  "documents that have been put right",
  "the page is drawn from the code",
  "what a stranger sends",
  "labels that there are",
  "what lies in another is to it as if it were not there",
  "allocations ended, by why",
  "everything wished for, whatever else there may be",
  "the watch ended without a word",
  "a Service of that name is somebody else's",
  "nothing, if the pod was meant to go",
  "when a program has said its last",
  "it counts in its place",
  "until there is no traffic to be had",
  "the session ends, and thereby its allocation",
  "packets are dropped lest they wait",
];

it.each(old)("finds: %s", (sentence) => {
  expect(findingsIn(`first line\n// ${sentence}.`)).toContainEqual(expect.objectContaining({ line: 2 }));
});

it.each([
  "removed 12 s ago: event 4711 no longer lists it",
  "the last valid configuration stays active",
  "check that it has not expired",
  "it accepts no more than 64 connections",
  "A StaticService stands alone.",
])("accepts: %s", (sentence) => {
  expect(findingsIn(sentence)).toEqual([]);
});
