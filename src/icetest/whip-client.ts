/** The other side: it offers, and opens a data channel that echoes what it receives. */
import { messageOf, TurnpikeError } from "../errors.ts";
import { gathered, newPeer, type PeerSettings, type RTCDataChannel } from "./peer.ts";

export interface WhipConnection {
  readonly channel: RTCDataChannel;
  /** URL of the connection at the server; undefined if the server sent none. */
  readonly location: string | undefined;
  close(): Promise<void>;
}

export interface DialOptions extends PeerSettings {
  /** Of the WHIP endpoint. */
  readonly url: string;
  readonly bearerToken?: string;
  /** From offer to open channel. */
  readonly timeoutMs: number;
}

/** STUNner's name for the channel. */
const LABEL = "whipconn";

/** @throws TurnpikeError `icetest-failed`, `package-missing`. */
export const dialWhip = async (options: DialOptions): Promise<WhipConnection> => {
  const { url, bearerToken, timeoutMs } = options;
  const peer = await newPeer(options);
  const late = AbortSignal.timeout(timeoutMs);
  const inTime = <T>(what: string, work: Promise<T>): Promise<T> =>
    Promise.race([
      work,
      new Promise<never>((_, reject) =>
        late.addEventListener("abort", () => reject(new Error(`${what} took longer than ${timeoutMs} ms`)), {
          once: true,
        }),
      ),
    ]);
  try {
    const channel = peer.createDataChannel(LABEL);
    const opened = new Promise<void>((resolve, reject) => {
      channel.stateChanged.subscribe((state) => {
        if (state === "open") resolve();
      });
      peer.connectionStateChange.subscribe((state) => {
        if (state === "failed") reject(new Error("no pair of candidates works"));
      });
    });
    // It is awaited only once there is an answer.
    opened.catch(() => undefined);
    await peer.setLocalDescription(await peer.createOffer());
    const offer = await inTime("gathering", gathered(peer));
    const response = await fetch(url, {
      method: "POST",
      signal: late,
      headers: {
        "content-type": "application/sdp",
        ...(bearerToken ? { authorization: `Bearer ${bearerToken}` } : {}),
      },
      body: offer,
    });
    const answer = await response.text();
    if (response.status !== 201) throw new Error(`${url} answered ${response.status}: ${answer.slice(0, 200)}`);
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    await inTime("connecting", opened);
    return {
      channel,
      location: response.headers.get("location") ?? undefined,
      close: () => peer.close(),
    };
  } catch (error) {
    await peer.close();
    throw new TurnpikeError("icetest-failed", messageOf(error), { cause: error });
  }
};
