/** The page `/call`: a call from this browser through the gateway, and its state. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { startCall, type CallReport, type CallSession } from "./call-session.ts";
import { h, type Element } from "./element.ts";
import { button, bytesText } from "./pieces.ts";
import { ask, takeToken } from "./source.ts";
import { messageOf } from "../../errors.ts";

interface Served {
  readonly gateways: readonly {
    readonly listeners: readonly { readonly name: string; readonly protocol: string; readonly at: readonly string[] }[];
  }[];
}

const TRANSPORTS: Readonly<Record<string, string>> = { "TURN-UDP": "udp", "TURN-TCP": "tcp" };
const LOOK_MS = 500;

/** Browsers do not trust the certificates used here: listeners with TLS and DTLS are left out. */
const urlsOf = ({ gateways }: Served): readonly string[] =>
  gateways.flatMap(({ listeners }) =>
    listeners.flatMap(({ protocol, at }) => {
      const transport = TRANSPORTS[protocol];
      return transport === undefined ? [] : at.map((address) => `turn:${address}?transport=${transport}`);
    }),
  );

/** `#user=…&password=…`, which is never sent over the network, and is removed from the address bar at once. */
const takeCredentials = (): { readonly user: string; readonly password: string } => {
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  return { user: fragment.get("user") ?? "", password: fragment.get("password") ?? "" };
};

const screen = (name: string, stream: MediaStream): Element => {
  const play = (video: HTMLVideoElement | null): void => {
    if (video === null || video.srcObject === stream) return;
    video.srcObject = stream;
    void video.play().catch(() => undefined);
  };
  return h("figure", null, h("video", { ref: play, muted: true, playsInline: true }), h("figcaption", null, name));
};

const row = (name: string, value: string): Element =>
  h("tr", null, h("th", { scope: "row" }, name), h("td", null, value));

/** A browser gives up after half a minute; users, sooner. */
const PATIENCE_MS = 5000;

const isInTrouble = ({ state, relayed, age }: CallReport): boolean =>
  state === "failed" || state === "disconnected" || (relayed === undefined && age > PATIENCE_MS);

const verdictOf = (report: CallReport): string => {
  const { frames, relayed } = report;
  if (report.state === "disconnected" && frames > 0)
    return "Nothing arrives: the call has ended, or the gateway has stopped.";
  if (isInTrouble(report)) return "No packet comes through the gateway.";
  if (relayed === undefined) return "Asking the gateway for two addresses…";
  return frames === 0 ? "Connected; waiting for the first picture…" : "The call is up, through the gateway alone.";
};

const resultOf = (report: CallReport): Element =>
  h(
    "div",
    null,
    h("p", { role: "status", class: "verdict" }, verdictOf(report)),
    h(
      "table",
      null,
      h(
        "tbody",
        null,
        row("Relayed address of the caller", report.relayed?.[0] ?? "none yet"),
        row("Relayed address of the answerer", report.relayed?.[1] ?? "none yet"),
        row("Pictures received", String(report.frames)),
        row("Received", bytesText(report.bytes)),
        row("Round trip", report.roundTrip === undefined ? "not known yet" : `${report.roundTrip.toFixed(1)} ms`),
        ...report.refusals.map((one) => row("Said by the gateway, or on the way to it", one)),
      ),
    ),
    isInTrouble(report)
      ? h(
          "p",
          null,
          "A wrong password says 401 above. Where both ends have an address, the route has to name it: ",
          h("a", { href: "/" }, "look what was refused"),
          ".",
        )
      : h("p", null, "See both calls in the ", h("a", { href: "/", target: "_blank" }, "topology"), "."),
  );

const field = (name: string, value: string, onInput: (value: string) => void, type = "text"): Element =>
  h(
    "label",
    null,
    name,
    h("input", {
      type,
      value,
      autocomplete: "off",
      onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) => onInput(currentTarget.value),
    }),
  );

const CallPage = ({ given }: { readonly given: ReturnType<typeof takeCredentials> }): Element => {
  const [urls, setUrls] = useState<readonly string[]>([]);
  const [url, setUrl] = useState("");
  const [user, setUser] = useState(given.user);
  const [password, setPassword] = useState(given.password);
  const [session, setSession] = useState<CallSession | undefined>(undefined);
  const [report, setReport] = useState<CallReport | undefined>(undefined);
  const [trouble, setTrouble] = useState("");
  const current = useRef<CallSession | undefined>(undefined);

  const hangUp = (): void => {
    current.current?.close();
    current.current = undefined;
    setSession(undefined);
  };
  const call = async (): Promise<void> => {
    hangUp();
    setTrouble("");
    setReport(undefined);
    const started = await startCall({ url, username: user, credential: password });
    current.current = started;
    setSession(started);
  };
  const say = (error: unknown): void => setTrouble(messageOf(error));

  useEffect(() => {
    ask("/api/v1/state")
      .then(async (answer) => {
        const found = urlsOf((await answer.json()) as Served);
        setUrls(found);
        setUrl(found[0] ?? "");
        if (found.length === 0) setTrouble("No listener over UDP or TCP is served here.");
      })
      .catch(say);
  }, []);
  useEffect(() => {
    if (session === undefined) return undefined;
    const timer = setInterval(() => {
      session.report().then(setReport).catch(say);
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [session]);

  return h(
    "main",
    { class: "call" },
    h("h1", null, "A call through the gateway"),
    h(
      "p",
      null,
      "Both ends are in this page, and each may use an address of the gateway only: what you see on the right has gone through it twice.",
    ),
    h(
      "form",
      {
        onSubmit: (event: SubmitEvent) => {
          event.preventDefault();
          call().catch(say);
        },
      },
      h(
        "label",
        null,
        "Listener",
        h(
          "select",
          {
            value: url,
            onChange: ({ currentTarget }: { readonly currentTarget: HTMLSelectElement }) => setUrl(currentTarget.value),
          },
          ...urls.map((one) => h("option", { value: one }, one)),
        ),
      ),
      field("User", user, setUser),
      field("Password", password, setPassword, "password"),
      // Two elements: if one element became a submit button during the click that hangs up, it would call again.
      session === undefined
        ? h("button", { key: "call", type: "submit", disabled: url === "" }, "Call")
        : h("span", { key: "hang-up" }, button("Hang up", hangUp)),
    ),
    trouble === "" ? null : h("p", { role: "alert", class: "bad" }, trouble),
    session === undefined
      ? null
      : h(
          "div",
          { class: "screens" },
          screen("Sent", session.sent),
          screen("Received through the gateway", session.received),
        ),
    report === undefined ? null : resultOf(report),
  );
};

takeToken();
const root = document.querySelector("#app");
if (root !== null) render(h(CallPage, { given: takeCredentials() }), root);
