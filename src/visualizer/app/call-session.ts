/**
 * A call between two ends of this page that may use only relayed candidates: what arrives at one end was sent by the other
 * through the gateway, twice. Video needs no camera: it is drawn.
 */

export interface CallServer {
  /** `turn:HOST:PORT?transport=udp` */
  readonly url: string;
  readonly username: string;
  readonly credential: string;
}

export interface CallReport {
  /** ICE state of the caller. */
  readonly state: RTCIceConnectionState;
  /** `HOST:PORT` of the relayed address of each end; undefined until a pair is selected. */
  readonly relayed: readonly [caller: string, answerer: string] | undefined;
  /** Frames of video that were received. */
  readonly frames: number;
  readonly bytes: number;
  /** In ms. */
  readonly roundTrip: number | undefined;
  /** Since the start of the call, in ms. */
  readonly age: number;
  /** Errors of the gateway, or of the connection to it. */
  readonly refusals: readonly string[];
}

export interface CallSession {
  /** The video that is sent, and the one that is received. */
  readonly sent: MediaStream;
  readonly received: MediaStream;
  report(): Promise<CallReport>;
  close(): void;
}

const FRAMES_PER_SECOND = 25;
const [WIDTH, HEIGHT] = [320, 180];

/** A rotating hand, and the time. */
const drawnStream = (): { readonly stream: MediaStream; stop(): void } => {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const pen = canvas.getContext("2d");
  if (pen === null) throw new Error("this browser draws no pictures");
  const draw = (): void => {
    const now = Date.now();
    const angle = ((now % 4000) / 4000) * 2 * Math.PI;
    pen.fillStyle = "#16324f";
    pen.fillRect(0, 0, WIDTH, HEIGHT);
    pen.strokeStyle = "#7eb0ff";
    pen.lineWidth = 6;
    pen.beginPath();
    pen.moveTo(WIDTH / 2, HEIGHT / 2 - 10);
    pen.lineTo(WIDTH / 2 + 60 * Math.sin(angle), HEIGHT / 2 - 10 - 60 * Math.cos(angle));
    pen.stroke();
    pen.fillStyle = "#ffffff";
    pen.font = "16px monospace";
    pen.fillText(new Date(now).toISOString().slice(11, 21), WIDTH / 2 - 48, HEIGHT - 12);
  };
  draw();
  const timer = setInterval(draw, 1000 / FRAMES_PER_SECOND);
  const stream = canvas.captureStream(FRAMES_PER_SECOND);
  return {
    stream,
    stop() {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
    },
  };
};

/** Of one kind, from `getStats`; missing values are undefined. */
type Stats = Readonly<Record<string, unknown>>;
const statsOf = (reports: RTCStatsReport, type: string): readonly Stats[] => {
  const found: Stats[] = [];
  reports.forEach((one: Stats) => {
    if (one["type"] === type) found.push(one);
  });
  return found;
};
const textIn = (stats: Stats | undefined, name: string): string => {
  const value = stats?.[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : "?";
};
const numberIn = (stats: Stats | undefined, name: string): number => Number(stats?.[name] ?? 0);

export const startCall = async ({ url, username, credential }: CallServer): Promise<CallSession> => {
  const drawn = drawnStream();
  const begunAt = performance.now();
  const settings: RTCConfiguration = {
    iceServers: [{ urls: url, username, credential }],
    iceTransportPolicy: "relay",
  };
  const [caller, answerer] = [new RTCPeerConnection(settings), new RTCPeerConnection(settings)] as const;
  const refusals = new Set<string>();
  for (const [from, to] of [
    [caller, answerer],
    [answerer, caller],
  ] as const) {
    from.addEventListener("icecandidate", ({ candidate }) => {
      // The last one marks the end; a closed connection needs none.
      if (candidate !== null && to.signalingState !== "closed") void to.addIceCandidate(candidate);
    });
    from.addEventListener("icecandidateerror", (event) => {
      refusals.add(`${event.errorCode} ${event.errorText}`);
    });
  }
  const received = new MediaStream();
  answerer.addEventListener("track", ({ track }) => received.addTrack(track));
  for (const track of drawn.stream.getTracks()) caller.addTrack(track, drawn.stream);

  await caller.setLocalDescription(await caller.createOffer());
  if (caller.localDescription !== null) await answerer.setRemoteDescription(caller.localDescription);
  await answerer.setLocalDescription(await answerer.createAnswer());
  if (answerer.localDescription !== null) await caller.setRemoteDescription(answerer.localDescription);

  return {
    sent: drawn.stream,
    received,
    async report() {
      const [sending, receiving] = await Promise.all([caller.getStats(), answerer.getStats()]);
      const pair = statsOf(sending, "candidate-pair").find(
        ({ nominated, state }) => nominated === true && state === "succeeded",
      );
      const addressOf = (id: unknown): string => {
        const candidate = sending.get(String(id)) as Stats | undefined;
        return `${textIn(candidate, "address")}:${textIn(candidate, "port")}`;
      };
      const inbound = statsOf(receiving, "inbound-rtp").find(({ kind }) => kind === "video");
      return {
        state: caller.iceConnectionState,
        relayed: pair && [addressOf(pair["localCandidateId"]), addressOf(pair["remoteCandidateId"])],
        frames: numberIn(inbound, "framesDecoded"),
        bytes: numberIn(inbound, "bytesReceived"),
        roundTrip: pair === undefined ? undefined : numberIn(pair, "currentRoundTripTime") * 1000,
        age: performance.now() - begunAt,
        refusals: [...refusals],
      };
    },
    close() {
      caller.close();
      answerer.close();
      drawn.stop();
    },
  };
};
