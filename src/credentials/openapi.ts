/** The OpenAPI document of the authentication service. */

const parameter = (name: string, description: string, schema: Readonly<Record<string, unknown>>, required = false) => ({
  name,
  in: "query",
  required,
  description,
  schema,
});

const text = { type: "string" } as const;

const common = [
  parameter("service", "Must be turn.", { type: "string", enum: ["turn"] }, true),
  parameter("username", "User-id of time-limited credentials; of no account to static ones.", text),
  parameter("ttl", "Seconds that time-limited credentials are good for.", { type: "integer", default: 86_400 }),
  parameter("key", "Taken and ignored.", text),
  parameter("namespace", "Only listeners of Gateways in this namespace.", text),
  parameter("gateway", "Only listeners of this Gateway; counts together with namespace.", text),
  parameter("listener", "Only this listener; counts together with namespace and gateway.", text),
  parameter("public-addr", "Address in the URIs, instead of the listeners' own.", text),
];

const refusal = (description: string) => ({ description, content: { "text/plain": { schema: text } } });

const refusals = {
  "400": refusal("A parameter is missing or cannot be understood."),
  "401": refusal("A bearer token is asked for."),
  "404": refusal("No listener is as asked."),
  "429": refusal("Too many requests."),
  "500": refusal("No Gateway is known yet."),
};

const answer = (description: string, name: string) => ({
  description,
  content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } },
});

const strings = { type: "array", items: text } as const;

export const openApi = (version: string) => ({
  openapi: "3.0.3",
  info: {
    title: "TURN authentication service",
    description: "Credentials and URIs for the Gateways of a cluster.",
    version,
  },
  components: {
    securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    schemas: {
      TurnAuthenticationToken: {
        type: "object",
        required: ["username", "password", "ttl", "uris"],
        properties: { username: text, password: text, ttl: { type: "integer" }, uris: strings },
      },
      IceConfig: {
        type: "object",
        required: ["iceServers", "iceTransportPolicy"],
        properties: {
          iceServers: {
            type: "array",
            items: {
              type: "object",
              required: ["urls"],
              properties: { username: text, credential: text, urls: strings },
            },
          },
          iceTransportPolicy: text,
        },
      },
    },
  },
  security: [{}, { bearer: [] }],
  paths: {
    "/": {
      get: {
        operationId: "getTurnAuth",
        summary: "User, password and URIs of one Gateway (draft-uberti-behave-turn-rest-00).",
        parameters: common,
        responses: { "200": answer("Credentials.", "TurnAuthenticationToken"), ...refusals },
      },
    },
    "/ice": {
      get: {
        operationId: "getIceAuth",
        summary: "An RTCConfiguration with every Gateway that is as asked.",
        parameters: [
          ...common,
          parameter("iceTransportPolicy", "Repeated in the answer.", { type: "string", default: "all" }),
        ],
        responses: { "200": answer("Configuration of a client.", "IceConfig"), ...refusals },
      },
    },
  },
});
